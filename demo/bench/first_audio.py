"""How soon an answer is heard: spoken while it streams, beside spoken after its end by the same voice."""

from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ..client import HomeAssistantClient
from ..process import DemoError
from ..turn import TurnEnded
from ..voice.hearing import Recogniser
from ..voice.pipeline import prefer_voice
from ..voice.server import VoiceServer
from ..voice.spoken_turn import SpokenTurnRunner

PACE: Final = 40
"""Words a second at which the answer comes."""

WORDS: Final = 120
TOPICS: Final = ("harbours", "gardens", "kitchens")
"""One for each round: Home Assistant keeps the sound of a text, so none is spoken twice."""

WARM_UP: Final = "MODEL:SAY ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAudio:
    """One answer both ways: seconds from sending the question to the first byte of its sound."""

    streaming_s: float
    whole_s: float


class Listener:
    """Asks in writing through two pipelines: one speaks while the answer comes, one when it has ended."""

    def __init__(
        self, client: HomeAssistantClient, streaming: VoiceServer, whole: VoiceServer
    ) -> None:
        """Wrap two servers of one voice; `add` makes the pipelines."""
        self._client = client
        self._streaming = streaming
        self._whole = whole
        self._pipelines: dict[str, str] = {}
        self._conversation_id: str | None = None

    @classmethod
    async def start(cls, stack: AsyncExitStack, client: HomeAssistantClient, folder: Path) -> Self:
        """Start both servers, until the stack is left. Nothing is heard here, so no recogniser runs."""
        recogniser = Recogniser(folder)
        streaming = await stack.enter_async_context(VoiceServer(recogniser, name="Bench streaming"))
        whole = await stack.enter_async_context(
            VoiceServer(recogniser, name="Bench whole", streams=False)
        )
        return cls(client, streaming, whole)

    async def add(self, agent_id: str) -> None:
        """Make the pipelines, and run one turn so that the session has begun.

        Raises:
            DemoError: They could not be made, or do not answer.
        """
        for server in (self._streaming, self._whole):
            self._pipelines[server.name] = await prefer_voice(
                self._client, agent_id, server, name=server.name
            )
        await self._first_audio(self._streaming, WARM_UP)

    async def measure(self) -> list[FirstAudio]:
        """Ask for every answer both ways; the two take turns at going first.

        Raises:
            DemoError: A text was not spoken as it should be.
        """
        figures = []
        for number, topic in enumerate(TOPICS):
            question = f"MODEL:PACE {PACE} {WORDS} {topic}"
            order = (self._streaming, self._whole)[:: -1 if number % 2 else 1]
            seconds = {server: await self._first_audio(server, question) for server in order}
            check_texts(self._streaming, self._whole)
            figures.append(
                FirstAudio(streaming_s=seconds[self._streaming], whole_s=seconds[self._whole])
            )
        return figures

    async def _first_audio(self, server: VoiceServer, question: str) -> float:
        runner = SpokenTurnRunner(
            self._client, self._pipelines[server.name], conversation_id=self._conversation_id
        )
        async with aclosing(runner.events_of_text(question)) as events:
            async for event in events:
                if isinstance(event, TurnEnded):
                    self._conversation_id = event.conversation_id
        seconds = runner.turn.timeline.first_sound_s
        if seconds is None:
            raise DemoError(f"No sound has come of the answer to {question}.")
        return seconds


def check_texts(streaming: VoiceServer, whole: VoiceServer) -> None:
    """Check that both servers spoke the same answer of the right length, each in its own way.

    Raises:
        DemoError: They did not.
    """
    one, other = streaming.spoken[-1], whole.spoken[-1]
    if one.text != other.text or len(one.text.split()) != WORDS:
        raise DemoError("The two ways did not speak the same answer.")
    if not one.is_streamed or other.is_streamed or len(one.sentences) < 2:
        raise DemoError("The two ways did not differ in how they spoke.")

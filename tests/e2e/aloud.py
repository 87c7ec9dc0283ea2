"""Questions from the place of a satellite whose words are known exactly, and what is said there."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
import secrets
import time

from demo.client import HomeAssistantClient, HomeAssistantError, JsonObject
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.voice.room import SatelliteEntity
from demo.voice.satellite import SAME_LENGTH, Playback, Satellite
from demo.voice.server import VoiceServer
from demo.voice.spoken_turn import SpokenTurnRunner

from .heard import Heard, heard
from .subentry_flow import Options

LATE_ANSWER = "openclaw_voice_late_answer"
HOLDING = "I will tell you as soon as I know."
"""How every holding phrase ends."""

PATIENT = 100.0
"""Seconds of patience when no answer is to come later, however busy the computer is."""

MODEL_LIMIT = 60.0
"""Seconds until a question must have reached the model. It takes less than one, and nine of a cold gateway."""

EVENT_LIMIT = 120.0
"""Seconds until an event must have come."""

ANNOUNCED_LIMIT = 120.0
"""Seconds until something must have been announced."""

_SYLLABLES = ("ba", "do", "fi", "ga", "ki", "lu", "me", "no", "pa", "ru", "so", "ta", "vi", "zo")


def new_word() -> str:
    """Return a word that was not said before: text-to-speech makes the sound of a text only once."""
    return "".join(secrets.choice(_SYLLABLES) for _ in range(6)).capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room with a satellite: who asks there is heard there."""

    client: HomeAssistantClient
    entity: SatelliteEntity
    satellite: Satellite
    voice: VoiceServer
    pipeline_id: str
    played: int
    """How much the satellite had played before: sounds are told by their lengths, so old ones are left out."""

    async def ask(
        self,
        text: str,
        conversation_id: str | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> SaidAloud:
        """Ask exactly this with the satellite's device, and have the answer spoken."""
        known = len(self.voice.spoken)
        runner = SpokenTurnRunner(
            self.client,
            self.pipeline_id,
            conversation_id=conversation_id,
            device_id=self.entity.device_id,
        )
        turn = await heard(runner.events_of_text(text), on_text)
        return SaidAloud(
            turn=turn, given=tuple(spoken.text for spoken in self.voice.spoken[known:])
        )

    async def ask_for_later(
        self, options: Options, text: str, conversation_id: str | None = None
    ) -> SaidAloud:
        """Ask what the model does not answer yet, until it is said that the answer comes later.

        After that people have more patience.
        """
        await options.change(patience=1)
        said = await self.ask(text, conversation_id)
        assert said.answer.endswith(HOLDING)
        await options.change(patience=PATIENT)
        return said

    async def wait_for_announcement(self, *words: str) -> Playback:
        """Wait until something with these words has been announced."""
        return await self.satellite.wait_for_playback(
            after=self.played,
            is_wanted=lambda playback: self._said(playback, words) is not None,
            limit=ANNOUNCED_LIMIT,
        )

    def announcements(self, *words: str) -> Sequence[str]:
        """Return the texts with these words that have been announced."""
        found = [
            self._said(playback, words) for playback in self.satellite.playbacks[self.played :]
        ]
        return [text for text in found if text is not None]

    def _said(self, playback: Playback, words: Sequence[str]) -> str | None:
        """Return the text with these words that was announced, if that is what was played.

        Something of the same length may have been spoken since, for another room.
        """
        if not playback.is_announcement:
            return None
        for spoken in reversed(self.voice.spoken):
            is_so_long = abs(spoken.seconds - playback.sound.seconds) < SAME_LENGTH
            if is_so_long and spoken.is_complete and all(word in spoken.text for word in words):
                return spoken.text
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidAloud:
    """One turn as people heard it."""

    turn: Heard
    given: tuple[str, ...]
    """The texts that text-to-speech was given."""

    @property
    def answer(self) -> str:
        """What Assist says the answer is."""
        return self.turn.end.answer

    @property
    def conversation_id(self) -> str:
        """What the next turn names to go on."""
        return self.turn.end.conversation_id

    @property
    def seconds(self) -> float:
        """How long the turn took."""
        return self.turn.end.seconds


async def wait_until_asked(model_server: ModelServer, question: str) -> None:
    """Wait until the model works on a question."""
    await model_server.wait_for(
        lambda requests: any(request.user_text == question for request in requests),
        limit=MODEL_LIMIT,
    )


@dataclass(slots=True)
class LateAnswers:
    """The events about late answers, as they come."""

    events: list[JsonObject] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each came, on the clock of `time.monotonic`."""

    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(
        self, is_wanted: Callable[[JsonObject], bool], *, limit: float = EVENT_LIMIT
    ) -> JsonObject:
        """Return the first event that is wanted.

        Raises:
            TimeoutError: There is none after `limit` seconds.
        """
        async with asyncio.timeout(limit):
            async with self.changed:
                await self.changed.wait_for(lambda: any(map(is_wanted, self.events)))
        return next(filter(is_wanted, self.events))

    async def with_words(self, words: str) -> JsonObject:
        """Return the event of the answer with these words.

        Raises:
            TimeoutError: There is none in time.
        """
        return await self.wait_for(lambda event: words in event["text"])

    def time_of(self, event: JsonObject) -> float:
        """Return when an event came."""
        return self.times[self.events.index(event)]


@asynccontextmanager
async def late_answers(home: HomeAssistantProcess) -> AsyncGenerator[LateAnswers]:
    """Collect the events about late answers while the block lasts, or Home Assistant runs."""
    seen = LateAnswers()
    async with home.connect() as client:
        events = await client.subscribe(LATE_ANSWER)

        async def collect() -> None:
            with suppress(HomeAssistantError):
                async with aclosing(events):
                    async for data in events:
                        async with seen.changed:
                            seen.events.append(data)
                            seen.times.append(time.monotonic())
                            seen.changed.notify_all()

        collecting = asyncio.create_task(collect(), name="late answers")
        try:
            yield seen
        finally:
            collecting.cancel()
            with suppress(asyncio.CancelledError):
                await collecting


async def act(client: HomeAssistantClient, action: str, **data: object) -> JsonObject:
    """Run one of our actions and return its response."""
    answer = await client.rest(
        "POST", f"/api/services/openclaw_voice/{action}?return_response", data
    )
    response: JsonObject = answer["service_response"]
    return response

"""Asks the same through Assist and by the bare client, and takes the times of both."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import time
from typing import Any, Final

from ..client import HomeAssistantClient
from ..process import DemoError
from ..turn import Delta, TurnEnded
from .arrivals import Arrivals, Piece, added_times
from .bare_client import BareClient, BareTurn
from .figures import LongAnswer, longest_blocks

QUESTION: Final = "MODEL:SLOW 120 20"
"""So many milliseconds between so many words: more than the 75 ms within which the gateway joins deltas."""

SHORT_QUESTION: Final = "MODEL:SLOW 120 3"
WARM_UPS: Final = 3

REST: Final = 0.5
"""Seconds between two turns: the gateway still writes down the last one."""


type JsonObject = dict[str, Any]


class BenchError(DemoError):
    """What was measured is not what should be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistTurn:
    """What one question came to at the client of Assist, seconds since it was sent."""

    pieces: tuple[Piece, ...]
    frames: Arrivals
    """What the bare client saw of the run meanwhile."""

    first_text_s: float
    complete_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One question, asked both ways. Seconds."""

    added_s: tuple[float, ...]
    first_text_s: float
    bare_first_text_s: float


class Comparison:
    """A client of Assist and the bare client, each with a session of its own."""

    def __init__(self, assist: HomeAssistantClient, bare: BareClient) -> None:
        """Compare these two."""
        self._assist = assist
        self._bare = bare
        self._conversation_id: str | None = None

    async def warm_up(self) -> None:
        """Begin both sessions."""
        for _ in range(WARM_UPS):
            await self._ask_assist(SHORT_QUESTION)
            await self._ask_bare(SHORT_QUESTION)

    async def question(self, number: int) -> Answers:
        """Ask both ways; which goes first depends on the number.

        Raises:
            BenchError: The two did not see the same answer.
        """
        turn, bare_turn = await in_turns(
            number, lambda: self._ask_assist(QUESTION), lambda: self._ask_bare(QUESTION)
        )
        check_answers(turn.text, bare_turn.text)
        return Answers(
            added_s=tuple(added_times(turn.pieces, turn.frames)),
            first_text_s=turn.first_text_s,
            bare_first_text_s=bare_turn.first_text_s,
        )

    async def long_answer(self, number: int, characters: int) -> LongAnswer:
        """Ask for an answer of so many characters, both ways, as `question` does.

        Raises:
            BenchError: An answer is not of that length, or not the same.
        """
        question = f"MODEL:LONG {characters}"
        (turn, rows), bare_turn = await in_turns(
            number, lambda: self._ask_probed(question), lambda: self._ask_bare(question)
        )
        check_answers(turn.text, bare_turn.text)
        if len(turn.text) != characters:
            raise BenchError(f"The long answer has {len(turn.text)} characters.")
        our_block, any_block = longest_blocks(rows)
        return LongAnswer(
            total_s=turn.complete_s,
            bare_s=bare_turn.complete_s,
            deltas=len(turn.pieces),
            our_block=our_block,
            any_block=any_block,
        )

    async def _ask_probed(self, question: str) -> tuple[AssistTurn, list[JsonObject]]:
        """Ask through Assist while the probe times Home Assistant's event loop."""
        await self._assist.call("loop_probe/start")
        turn = await self._ask_assist(question)
        return turn, await self._assist.call("loop_probe/stop")

    async def _ask_assist(self, question: str) -> AssistTurn:
        """Ask in the same conversation as before, and watch the gateway's frames meanwhile."""
        frames = self._bare.watch()
        pieces: list[Piece] = []
        text = ""
        end: TurnEnded | None = None
        end_at = 0.0
        start = time.perf_counter()
        async for event in self._assist.ask(question, conversation_id=self._conversation_id):
            at = time.perf_counter()
            match event:
                case Delta():
                    text += event.text
                    pieces.append(Piece(end=len(text), at=at))
                case TurnEnded():
                    end, end_at = event, at
        if end is None or end.response_type == "error" or not pieces:
            raise BenchError(f"Assist gave no answer: {end.answer if end else 'no end of turn'}")
        check_answers(end.answer, text)
        self._conversation_id = end.conversation_id
        await self._bare.wait_for_end()
        await asyncio.sleep(REST)
        return AssistTurn(
            pieces=tuple(pieces),
            frames=frames,
            first_text_s=pieces[0].at - start,
            complete_s=end_at - start,
            text=text,
        )

    async def _ask_bare(self, question: str) -> BareTurn:
        turn = await self._bare.ask(question)
        await asyncio.sleep(REST)
        return turn


async def in_turns[First, Second](
    number: int, first: Callable[[], Awaitable[First]], second: Callable[[], Awaitable[Second]]
) -> tuple[First, Second]:
    """Do both one after the other, at odd numbers the second one first."""
    if number % 2:
        of_second = await second()
        return await first(), of_second
    return await first(), await second()


def check_answers(one: str, other: str) -> None:
    """Check that two texts are the same answer.

    Raises:
        BenchError: They are not.
    """
    if one != other:
        raise BenchError(f"Of one answer, {len(one)} and {len(other)} characters have come.")

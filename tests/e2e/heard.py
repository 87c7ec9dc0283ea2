"""What a client of Assist got in one turn."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from demo.turn import Delta, MessageStarted, PipelineEvent, TurnEnded, TurnEvent, turn_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a client of Assist got in one turn."""

    messages: tuple[str, ...]
    deltas: tuple[Delta, ...]
    end: TurnEnded


async def heard(
    events: AsyncIterator[TurnEvent], on_text: Callable[[str], None] | None = None
) -> Heard:
    """Follow a turn to its end and return what came.

    Args:
        events: Those of the turn.
        on_text: Is given the text so far of the message that goes on, whenever some of it has come.
    """
    messages: list[str] = []
    deltas: list[Delta] = []
    end: TurnEnded | None = None
    async for event in events:
        match event:
            case MessageStarted():
                messages.append("")
            case Delta():
                messages[-1] += event.text
                deltas.append(event)
                if on_text:
                    on_text(messages[-1])
            case TurnEnded():
                end = event
            case _:
                pass
    assert end is not None, "the pipeline ended without an answer"
    return Heard(messages=tuple(filter(None, messages)), deltas=tuple(deltas), end=end)


async def turn_of(events: AsyncGenerator[PipelineEvent]) -> AsyncGenerator[TurnEvent]:
    """Yield what a pipeline's events tell about the turn."""
    async with aclosing(events):
        async for event in events:
            for turn_event in turn_events(event.kind, event.data, event.seconds):
                yield turn_event

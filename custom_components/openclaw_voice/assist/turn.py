"""One turn: items of a run in, deltas of Home Assistant's chat log out, then a result.

Knows neither entities nor pipelines, so everything that answers people with an agent can use it.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from homeassistant.components.conversation import (
    AssistantContentDeltaDict,
    ToolResultContentDeltaDict,
)
from homeassistant.helpers import llm

from ..gateway.errors import GatewayError, RunError
from ..gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)

type TurnDelta = AssistantContentDeltaDict | ToolResultContentDeltaDict


class AnswerStoppedError(RunError):
    """Somebody stopped the run before it had said anything."""

    category = "answer_stopped"


class TurnOutcome(StrEnum):
    """How a turn ended."""

    ANSWERED = "answered"
    SILENT = "silent"
    """The agent decided that nothing needs to be said."""

    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """What a turn came to."""

    outcome: TurnOutcome
    speech: str = field(default="", repr=False)
    """The last message, for those who get no deltas; after a failure with the sentence about it."""

    error: GatewayError | None = None
    """Why it failed."""


class Turn:
    """One utterance and its answer. Iterate `deltas` to the end, then read `result`."""

    def __init__(
        self,
        run: AbstractAsyncContextManager[AsyncIterable[RunItem]],
        *,
        explain: Callable[[GatewayError], Awaitable[str]],
    ) -> None:
        """`run` is entered once. `explain` returns the sentence for an error."""
        self.result = TurnResult(outcome=TurnOutcome.SILENT)
        self._run = run
        self._explain = explain
        self._message = ""
        """Text of the current message, or of the last one while a tool is used."""

        self._is_open = False
        """A message is open in the chat log: text and tool calls may be added to it."""

    async def deltas(self) -> AsyncGenerator[TurnDelta]:
        """Run the turn. Closing or cancelling it before the end aborts the run on the gateway.

        Gateway errors are not raised: their sentence comes as a message of its own, after what was
        said until then.
        """
        try:
            async with self._run as items:
                async for item in items:
                    for delta in self._convert(item):
                        yield delta
        except GatewayError as err:
            sentence = await self._explain(err)
            yield {"role": "assistant", "content": sentence}
            self.result = TurnResult(
                outcome=TurnOutcome.FAILED,
                speech=f"{self._message.rstrip()} {sentence}".lstrip(),
                error=err,
            )

    def _convert(self, item: RunItem) -> Iterator[TurnDelta]:
        match item:
            case MessageStarted():
                self._message = ""
                self._is_open = True
                yield {"role": "assistant"}
            case ChatDelta(text=text):
                yield from self._add_text(text)
            case ToolActivity(phase=ToolPhase.START):
                yield from self._start_tool(item)
            case ToolActivity():
                yield self._end_tool(item)
            case ChatFinal():
                yield from self._finish(item)
            case _:
                assert_never(item)

    def _add_text(self, text: str) -> Iterator[TurnDelta]:
        if not self._is_open:
            yield from self._convert(MessageStarted())
        self._message += text
        yield {"content": text}

    def _start_tool(self, tool: ToolActivity) -> Iterator[TurnDelta]:
        if not self._is_open:
            self._is_open = True
            yield {"role": "assistant"}
        # External: the gateway runs it, Home Assistant only shows it.
        call = llm.ToolInput(
            tool_name=tool.name, tool_args=tool.arguments, id=tool.call_id, external=True
        )
        yield {"tool_calls": [call]}

    def _end_tool(self, tool: ToolActivity) -> TurnDelta:
        self._is_open = False
        return {
            "role": "tool_result",
            "tool_call_id": tool.call_id,
            "tool_name": tool.name,
            "result": llm.ToolResult(data={"result": tool.result}, error=tool.is_error),
        }

    def _finish(self, final: ChatFinal) -> Iterator[TurnDelta]:
        match final.outcome:
            case RunOutcome.SILENT:
                self.result = TurnResult(outcome=TurnOutcome.SILENT)
                return
            case RunOutcome.ABORTED if not self._message:
                raise AnswerStoppedError("stopped before the first word")
            case RunOutcome.ANSWERED | RunOutcome.ABORTED:
                if final.links:
                    yield from self._add_links(final.links)
                self.result = TurnResult(outcome=TurnOutcome.ANSWERED, speech=self._message)
            case _:
                assert_never(final.outcome)

    def _add_links(self, links: tuple[str, ...]) -> Iterator[TurnDelta]:
        """Add media to the last message; the chat log carries text only."""
        text = "\n".join(f"[{_file_name(link)}]({link})" for link in links)
        yield from self._add_text(f"\n\n{text}" if self._is_open and self._message else text)


def _file_name(link: str) -> str:
    path = link.split("?", 1)[0].rstrip("/")
    return path.rsplit("/", 1)[-1]

"""Items of a run -> deltas of Home Assistant's chat log, as they are shown or as they are spoken."""

from collections.abc import Callable, Iterator
import logging
from typing import Final, Protocol, assert_never

from homeassistant.components.conversation import (
    AssistantContentDeltaDict,
    ToolResultContentDeltaDict,
)
from homeassistant.helpers import llm

from ..gateway.run_items import ChatDelta, MessageStarted, ToolActivity, ToolPhase

_LOGGER: Final = logging.getLogger(__name__)

type TurnDelta = AssistantContentDeltaDict | ToolResultContentDeltaDict


class TextFilter(Protocol):
    """Makes the text of one message fit for speech, piece by piece."""

    def feed(self, text: str) -> str:
        """Take a piece; return what may be said now."""

    def finish(self) -> str:
        """Return what was held back; the message is complete."""


class ChatDeltas:
    """What a turn has put into the chat log."""

    def __init__(self, new_filter: Callable[[], TextFilter] | None = None) -> None:
        """`new_filter` makes one for each message that is spoken; None: texts stay as they are."""
        self.speech = ""
        """Text of the current message, or of the last one that had any."""

        self.written = ""
        """All of it so far as the agent wrote it, messages joined by a blank line."""

        self._new_filter = new_filter
        self._filter = new_filter() if new_filter else None
        self._is_written_new = False
        """The next text begins a message the agent wrote."""

        self._is_open = False
        """A message is open in the chat log: text and tool calls may be added to it."""

        self._is_new = True
        """The next text begins a message."""

        self._tools: dict[str, str] = {}
        """Names of the tools in use, by the id of the call."""

    @property
    def tool(self) -> str | None:
        """The name of the tool that is used now, of several the last one."""
        return next(reversed(self._tools.values()), None)

    def convert(self, item: MessageStarted | ChatDelta | ToolActivity) -> Iterator[TurnDelta]:
        """Return the deltas for one item."""
        match item:
            case MessageStarted():
                yield from self.flush()
                yield from self._open()
                self._is_written_new = bool(self.written)
            case ChatDelta(text=text):
                self.written += f"\n\n{text}" if self._is_written_new else text
                self._is_written_new = False
                yield from self._add(self._fit(text))
            case ToolActivity(phase=ToolPhase.START):
                yield from self._start_tool(item)
            case ToolActivity():
                yield from self._end_tool(item)
            case _:
                assert_never(item)

    def flush(self) -> Iterator[TurnDelta]:
        """Return what was held back of the current message."""
        if self._new_filter is not None:
            yield from self._add(self._fit(None))
            self._filter = self._new_filter()

    def end_tools(self) -> Iterator[TurnDelta]:
        """Return an end for every tool in use: whoever reads the chat log later wants one."""
        for call_id, name in tuple(self._tools.items()):
            yield from self._end_tool(ToolActivity(call_id=call_id, name=name, phase=ToolPhase.END))

    def add_message(self, text: str) -> Iterator[TurnDelta]:
        """Return the deltas for a message of our own; `speech` stays what the agent said."""
        yield from self.flush()
        self._is_open = False
        yield {"role": "assistant", "content": text}

    def add_words(self, text: str, between: str) -> Iterator[TurnDelta]:
        """Return the deltas for words of our own in the middle of a turn; `speech` stays.

        They belong to the message that is open, whose tools go on; `between` is put around them.
        """
        yield from self.flush()
        before = between if self._is_open and not self._is_new else ""
        if not self._is_open:
            yield from self._open()
        yield {"content": f"{before}{text}{between}"}

    def add_paragraph(self, text: str, *, between: str) -> Iterator[TurnDelta]:
        """Return the deltas that add `text` to the last message, `between` what is there and it."""
        yield from self.flush()
        follows_text = self._is_open and not self._is_new
        yield from self._add(f"{between}{text}" if follows_text else text)

    def _fit(self, text: str | None) -> str:
        """Return what may be put out now of the next text; None: of a message that is complete."""
        if self._filter is None:
            return text or ""
        try:
            return self._filter.finish() if text is None else self._filter.feed(text)
        except Exception as err:  # noqa: BLE001 - an asterisk that is read is better than silence
            _LOGGER.error("A text is not made fit for speech: %s", type(err).__name__)
            self._filter = None
            return text or ""

    def _open(self) -> Iterator[TurnDelta]:
        self._is_open = self._is_new = True
        yield {"role": "assistant"}

    def _add(self, text: str) -> Iterator[TurnDelta]:
        if not text:
            return
        if not self._is_open:
            yield from self._open()
        if self._is_new:
            self._is_new = False
            self.speech = ""
        self.speech += text
        yield {"content": text}

    def _start_tool(self, tool: ToolActivity) -> Iterator[TurnDelta]:
        yield from self.flush()
        if not self._is_open:
            yield from self._open()
        self._tools[tool.call_id] = tool.name
        # External: the gateway runs it, Home Assistant only shows it.
        call = llm.ToolInput(
            tool_name=tool.name, tool_args=tool.arguments, id=tool.call_id, external=True
        )
        yield {"tool_calls": [call]}

    def _end_tool(self, tool: ToolActivity) -> Iterator[TurnDelta]:
        yield from self.flush()
        self._tools.pop(tool.call_id, None)
        self._is_open = False
        yield {
            "role": "tool_result",
            "tool_call_id": tool.call_id,
            "tool_name": tool.name,
            "result": llm.ToolResult(data={"result": tool.result}, error=tool.is_error),
        }


def as_markdown(links: tuple[str, ...]) -> str:
    """Return media as links by the names of their files; the chat log carries text only."""
    return "\n".join(f"[{_file_name(link)}]({link})" for link in links)


def _file_name(link: str) -> str:
    path = link.split("?", 1)[0].rstrip("/")
    return path.rsplit("/", 1)[-1]

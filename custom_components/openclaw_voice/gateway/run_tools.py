"""The tool calls of one run, fit to be shown (pure).

Source: gateway protocol 4, "agent"; the recordings of tools.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from .frames import JsonObject, as_list, as_object, as_text, whole_characters
from .run_items import ToolActivity, ToolPhase

MAX_TOOL_TEXT: Final = 2_000
"""Characters of a tool's result, or of one text in its arguments: enough to show, too few to flood."""

MAX_ARGUMENTS: Final = 200
"""Entries of all lists and objects in the arguments of one call."""

MAX_ARGUMENT_DEPTH: Final = 8
"""Lists and objects within each other."""

MAX_WAITING_TOOLS: Final = 256
"""Starts and ends of tool calls that may wait to be fetched; the calls that start when so many do
are dropped as a whole. Text is never dropped.
"""

_LEFT_OUT: Final = "…"


class RunTools:
    """Tells each call at its start and at its end."""

    def __init__(
        self, hand_out: Callable[[ToolActivity], None], *, on_start: Callable[[], None]
    ) -> None:
        """`on_start` is called before each call, also before one that is not handed out."""
        self._hand_out = hand_out
        self._on_start = on_start
        self._active: dict[str, ToolActivity] = {}
        """What the end of each call that goes on will be."""

        self._known: set[str] = set()
        self._waiting = 0

    def on_taken(self) -> None:
        """Somebody has taken an activity that waited."""
        self._waiting -= 1

    def read_tool(self, data: JsonObject) -> None:
        """Read a frame of the stream `tool`: the start or the result of a call."""
        call_id, name = _label(data.get("toolCallId")), _label(data.get("name"))
        if call_id is None or name is None:
            return
        match data.get("phase"):
            case "start" if call_id not in self._active:
                self._start(call_id, name, arguments=as_object(data.get("args")))
            case "result" if call_id in self._active:
                self._active[call_id] = replace(
                    self._active[call_id],
                    result=_result_text(data.get("result")),
                    is_error=data.get("isError") is True,
                )

    def read_end(self, data: JsonObject) -> None:
        """Read the end of a call: only here a failed command is told from one that worked."""
        call_id, name = _label(data.get("toolCallId")), _label(data.get("name"))
        if call_id is None or name is None:
            return
        title = _label(data.get("title"))
        if call_id not in self._known:
            # Its `tool` frames went to another connection, or were lost.
            self._start(call_id, name, title=title)
        end = self._active.pop(call_id, None)
        if end is not None:
            is_error = end.is_error or data.get("status") == "failed"
            self._add(replace(end, title=title, is_error=is_error))

    def end_all(self) -> None:
        """The agent speaks again, so its tools are done, told or not."""
        tools, self._active = self._active, {}
        for end in tools.values():
            self._add(end)

    def _start(
        self,
        call_id: str,
        name: str,
        *,
        title: str | None = None,
        arguments: JsonObject | None = None,
    ) -> None:
        self._on_start()
        self._known.add(call_id)
        if self._waiting >= MAX_WAITING_TOOLS:
            return
        end = ToolActivity(call_id=call_id, name=name, phase=ToolPhase.END)
        self._active[call_id] = end
        shown = _Trimmer().trim_object(arguments or {}, MAX_ARGUMENT_DEPTH)
        self._add(replace(end, phase=ToolPhase.START, title=title, arguments=shown))

    def _add(self, activity: ToolActivity) -> None:
        self._waiting += 1
        self._hand_out(activity)


@dataclass(slots=True)
class _Trimmer:
    """Cuts one JSON value to what can be shown."""

    room: int = MAX_ARGUMENTS
    """Entries that may still come."""

    def trim_object(self, value: JsonObject, depth: int) -> JsonObject:
        """Return an object of at most `depth` levels."""
        entries = self._within(value.items())
        return {_shown(key): self._trim(entry, depth - 1) for key, entry in entries}

    def _trim(self, value: object, depth: int) -> object:
        match value:
            case str():
                return _shown(value)
            case dict() | list() if depth == 0:
                return _LEFT_OUT
            case dict():
                return self.trim_object(value, depth)
            case list():
                return [self._trim(entry, depth - 1) for entry in self._within(value)]
            case _:
                return value

    def _within[T](self, entries: Iterable[T]) -> Iterator[T]:
        """Yield entries as long as there is room."""
        for entry in entries:
            if self.room == 0:
                return
            self.room -= 1
            yield entry


def _shown(text: str) -> str:
    return whole_characters(text[:MAX_TOOL_TEXT])


def _label(value: object) -> str | None:
    return _shown(as_text(value) or "") or None


def _result_text(result: object) -> str | None:
    blocks = as_list(as_object(result).get("content"))
    texts = [as_text(as_object(block).get("text")) for block in blocks]
    return _shown("\n".join(text for text in texts if text)) or None

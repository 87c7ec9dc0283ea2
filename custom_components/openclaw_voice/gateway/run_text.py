"""The text of one run: cumulative texts in, what was not handed out yet out (pure).

Texts on the wire are cumulative, so that lost, repeated and late frames cost nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from .frames import whole_characters
from .run_items import ChatDelta, MessageStarted

SEPARATOR: Final = "\n\n"
"""Between two messages of one run, in the texts of `chat` frames and of the final response."""


@dataclass(slots=True)
class _Message:
    item_id: str | None
    text: str = field(default="", repr=False)
    """What the gateway says the message is, so far."""

    said: str = field(default="", repr=False)
    """What was handed out. Differs from `text` when the gateway takes something back."""

    is_closed: bool = False
    """A tool was used after it."""

    @property
    def parts(self) -> list[str]:
        """Its text, or its texts: those of a `chat` frame come as one."""
        return self.text.split(SEPARATOR) if self.item_id is None else [self.text]


class RunText:
    """The messages of one run, and how much of each was handed out."""

    def __init__(self, hand_out: Callable[[MessageStarted | ChatDelta], None]) -> None:
        """`hand_out` gets what is new, in order."""
        self._hand_out = hand_out
        self._messages: list[_Message] = []

    @property
    def has_messages(self) -> bool:
        """Whether any message has begun."""
        return bool(self._messages)

    @property
    def whole(self) -> str:
        """All messages, joined as the gateway joins them."""
        return SEPARATOR.join(item.text for item in self._messages if not _is_blank(item.text))

    def say(self, item_id: str | None, text: str, *, takes_back: bool = False) -> None:
        """Take the whole text of a message, as far as it is known now.

        Args:
            item_id: The gateway's name of the message; None means the current one.
            text: Cumulative.
            takes_back: The gateway started the model call again: what is missing in `text` is void.
        """
        if "\ud800" <= text[-1:] <= "\udbff":
            text = text[:-1]  # half an emoji; the other half comes with the next frame
        message = self._message_of(item_id)
        if message is None or (not takes_back and message.text.startswith(text)):
            return  # over, repeated, or late
        message.text = text
        message.is_closed = False
        if not text.startswith(message.said):
            if message.said.startswith(text):
                return
            # It says something else now. What was said cannot be taken back, so it starts again.
            message.said = ""
        rest = whole_characters(text[len(message.said) :])
        if not message.said and _is_blank(rest):
            return  # it starts with its first word
        if rest and not message.said:
            self._hand_out(MessageStarted())
        if rest:
            self._hand_out(ChatDelta(rest))
        message.said = text

    def restart(self) -> None:
        """The gateway runs the whole turn again: every text so far is void."""
        if self._messages:
            self._messages = [_Message(item_id=None, said=self._messages[-1].said)]

    def close_message(self) -> None:
        """A tool is used: what is said next is another message, unless a frame goes on with this."""
        if self._messages:
            self._messages[-1].is_closed = True

    def complete(self, text: str) -> str:
        """Hand out what the final `text` has and the deltas had not; return the whole text.

        The last response of a call carries only what came after its last tool.
        """
        if _is_blank(text):
            return ""
        start = self._find_said(_words(text))
        if start is None:
            self._say_rest(text)
        return whole_characters(self.whole if start != 0 else text)

    def _find_said(self, wanted: str) -> int | None:
        """Return where in the words of all messages `wanted` begins, None if it was not said.

        Only whole messages count: a short answer may be a piece of what was said before it.
        """
        parts = [_words(part) for message in self._messages for part in message.parts]
        said = " ".join(filter(None, parts))
        starts = [0, *accumulate(len(part) + 1 for part in parts if part)][:-1]
        for start in starts:
            end = start + len(wanted)
            if said.startswith(wanted, start) and (
                end == len(said)
                or (start == 0 and end + 1 in starts)
                or (end > starts[-1] and self._may_be_shortened(said, end))
            ):
                return start
        return None

    def _may_be_shortened(self, said: str, end: int) -> bool:
        """Whether the gateway may have cut what was said at `end`, which lies in the last message."""
        is_between_words = not (said[end - 1].isalnum() and said[end].isalnum())
        return is_between_words and not self._messages[-1].is_closed

    def _message_of(self, item_id: str | None) -> _Message | None:
        """Return the message a text belongs to; None for one that is over."""
        current = self._messages[-1] if self._messages else None
        if current is not None and item_id in (current.item_id, None):
            return current
        if any(message.item_id == item_id for message in self._messages):
            return None
        if current is not None and current.said and not current.text:
            # Taken back, and now said again by another attempt of the gateway.
            current.item_id = item_id
            return current
        self._messages.append(_Message(item_id=item_id))
        return self._messages[-1]

    def _say_rest(self, text: str) -> None:
        """Hand out what `text` has after the words of the last message."""
        if not self._messages:
            self._messages.append(_Message(item_id=None))
        *earlier, last = self._messages
        lead = "".join(f"{item.text}{SEPARATOR}" for item in earlier if not _is_blank(item.text))
        start = _find(last.text.rstrip() if last.is_closed else last.text, text, lead)
        if start is None:
            # It was lost altogether, or the gateway has changed its mind about the last one.
            self._say_message(text.removeprefix(lead))
        elif last.is_closed:
            rest = text[start:]
            if _words(rest) != _words(last.text):
                self._say_message(rest.removeprefix(f"{last.text.rstrip()}{SEPARATOR}"))
        else:
            self.say(last.item_id, text[start:])

    def _say_message(self, text: str) -> None:
        """Hand out a message nothing is known of."""
        self._messages.append(_Message(item_id=None))
        self.say(None, text)


def _find(message: str, text: str, lead: str) -> int | None:
    """Return where in `text` a message begins, None if it is not there.

    `lead` is what is known of the messages before it. `text` may have more of them, when their
    ends were lost, or nothing, when it is the last response of a call.
    """
    if text.startswith(lead + message):
        return len(lead)
    if lead and message:
        found = text.find(SEPARATOR + message, len(lead) - len(SEPARATOR))
        if found >= 0:
            return found + len(SEPARATOR)
    return 0 if text.startswith(message) else None


def _is_blank(text: str) -> bool:
    return not text.strip()


def _words(text: str) -> str:
    return " ".join(text.split())

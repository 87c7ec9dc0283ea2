"""The text of one run: cumulative texts in, what was not handed out yet out (pure).

Texts on the wire are cumulative, so that lost, repeated and late frames cost nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

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
        return SEPARATOR.join(message.text for message in self._messages if message.text)

    def say(self, item_id: str | None, text: str, *, takes_back: bool = False) -> None:
        """Take the whole text of a message, as far as it is known now.

        Args:
            item_id: The gateway's name of the message; None means the current one.
            text: Cumulative.
            takes_back: The gateway started the model call again: what is missing in `text` is void.
        """
        message = self._message_of(item_id)
        if message is None or (not takes_back and message.text.startswith(text)):
            return  # over, repeated, or late
        message.text = text
        if not text.startswith(message.said):
            if message.said.startswith(text):
                return
            # It says something else now. What was said cannot be taken back, so it starts again.
            message.said = ""
        rest = text[len(message.said) :]
        if rest and not message.said:
            self._hand_out(MessageStarted())
        if rest:
            self._hand_out(ChatDelta(rest))
        message.said = text

    def restart(self) -> None:
        """The gateway runs the whole turn again: every text so far is void."""
        if self._messages:
            self._messages = [_Message(item_id=None, said=self._messages[-1].said)]

    def complete(self, text: str) -> str:
        """Hand out what the final `text` has and the deltas had not; return the whole text.

        The last response of a call carries only what came after its last tool.
        """
        wanted, has = _words(text), _words(self.whole)
        if has.startswith(wanted):
            return text
        if not has.endswith(wanted):
            self._say_rest(text)
        return self.whole

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
        rest, current = text, None
        for message in self._messages:
            if not rest.startswith(message.text):
                current = None
                break
            rest = rest.removeprefix(message.text)
            current = None if rest.startswith(SEPARATOR) else message
            rest = rest.removeprefix(SEPARATOR)
        last = self._messages[-1] if self._messages else None
        if current is not None:
            self.say(current.item_id, current.text + rest)
        elif last is not None and last.text and text.startswith(last.text):
            self.say(last.item_id, text)
        else:
            self._messages.append(_Message(item_id=None))
            self.say(None, rest)


def _words(text: str) -> str:
    return " ".join(text.split())

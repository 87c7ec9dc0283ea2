"""What a run still says after its turn has ended (pure)."""

from dataclasses import dataclass, field
from typing import Final

from ..gateway.run_items import ChatDelta, ChatFinal, MessageStarted, RunItem
from .late_answer import MAX_TEXT

BETWEEN_MESSAGES: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run."""

    final: ChatFinal
    rest: str = field(repr=False)
    """What of the answer was not said before."""


class Reply:
    """Collects the rest of an answer, item by item."""

    def __init__(self, said: str = "", *, is_whole: bool = True) -> None:
        """Start after what was `said`.

        Args:
            said: What the turn has passed on, as the agent wrote it.
            is_whole: Whether every item after that is seen here. A run that was found again after
                a restart may begin anywhere; then only its whole text can be relied on.
        """
        self._final: ChatFinal | None = None
        self._said = said.strip()
        self._is_whole = is_whole
        self._messages = [""]

    def take(self, item: RunItem) -> None:
        """Take the next item of the run."""
        match item:
            case MessageStarted():
                self._messages.append("")
            case ChatDelta(text=text):
                # Nothing longer is kept anyway; what is short of it is not worth counting.
                self._messages[-1] = (self._messages[-1] + text)[: 2 * MAX_TEXT]
            case ChatFinal():
                self._final = item
            case _:
                pass

    @property
    def ended(self) -> Ended | None:
        """The end of the run and what was not said before it; None before the end."""
        return None if self._final is None else Ended(self._final, self._rest(self._final))

    def _rest(self, final: ChatFinal) -> str:
        whole = final.text.strip()
        if not self._said:
            return whole
        heard = BETWEEN_MESSAGES.join(text.strip() for text in self._messages if text.strip())
        if self._is_whole and heard:
            return heard
        return remainder(self._said, whole)


def remainder(said: str, whole: str) -> str:
    """Return what follows `said` in `whole`; all of it when it does not begin like that.

    Blank space does not count: a turn joins messages in its own way.
    """
    position = 0
    for wanted in "".join(said.split()):
        while position < len(whole) and whole[position].isspace():
            position += 1
        if position == len(whole) or whole[position] != wanted:
            return whole.strip()
        position += 1
    return whole[position:].strip()

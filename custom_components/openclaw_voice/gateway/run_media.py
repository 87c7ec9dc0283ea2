"""The media that belong to the answer of one run (pure).

Source: the recording `agent-media`. The frame of an `assistant` text tells them before the run
ends; the `chat` final does not, and the last response, which does, comes some 50 ms after it.
"""

from collections.abc import Iterable
import re
from typing import Final

from .frames import JsonObject, as_list, as_object, whole_characters

MAX_LINKS: Final = 20
"""Of one answer: they are shown to people."""

MAX_LINK_LENGTH: Final = 2_000

_ADDRESS: Final = re.compile(r"https?://\S+")
_MEDIA_LINE: Final = re.compile(r"^[ \t]*MEDIA:[ \t]*([^\n]*)(?:\n|\Z)", re.MULTILINE)
"""How a model attaches a file, which the history keeps as it was written."""


class RunMedia:
    """Collects the links of one run."""

    def __init__(self) -> None:
        """Start without any."""
        self._links: dict[str | None, list[str]] = {}
        """By the id of the message they came with."""

    def hear(self, item_id: str | None, data: JsonObject, *, takes_back: bool) -> None:
        """Take the fields of a frame; one that takes its text back takes back its media, too."""
        if takes_back:
            self._links.pop(item_id, None)
        for link in links_of(data):
            if sum(map(len, self._links.values())) < MAX_LINKS and link not in self.links():
                self._links.setdefault(item_id, []).append(link)

    def restart(self) -> None:
        """The gateway runs the whole turn again."""
        self._links.clear()

    def links(self, more: Iterable[str] = ()) -> tuple[str, ...]:
        """Return all links so far and `more`, each once."""
        known = [link for links in self._links.values() for link in links]
        return tuple(dict.fromkeys([*known, *more]))[:MAX_LINKS]


def links_of(data: JsonObject) -> tuple[str, ...]:
    """Return the links in the fields of a frame, a payload or a block.

    A path on the gateway's disk is none: nobody can open it from elsewhere.
    """
    values = [*as_list(data.get("mediaUrls")), data.get("mediaUrl"), data.get("url")]
    return tuple(link for value in values if (link := _link(value)) is not None)


def message_links(message: JsonObject) -> tuple[str, ...]:
    """Return the links among the blocks of a `chat` message."""
    blocks = map(as_object, as_list(message.get("content")))
    return tuple(link for block in blocks for link in links_of(block))


def split_media(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text of the history without its lines about media, and the links in them."""
    values = [match.strip(" \t\r`\"'") for match in _MEDIA_LINE.findall(text)]
    if not values:
        return text, ()
    links = tuple(link for value in values if (link := _link(value)) is not None)
    return _MEDIA_LINE.sub("", text).rstrip(), links


def _link(value: object) -> str | None:
    """Return an address people can open, and whole."""
    if not isinstance(value, str) or len(value) > MAX_LINK_LENGTH:
        return None
    text = whole_characters(value)
    return text if _ADDRESS.fullmatch(text) else None

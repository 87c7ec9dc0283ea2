"""Fields of a message that somebody else wrote: the right kind and within bounds (pure)."""

from collections.abc import Collection
from enum import StrEnum
import json
from math import isfinite
from typing import Final, Self

from ..gateway.frames import MILLISECONDS, JsonObject
from .protocol import ProtocolProblem, Reason

MAX_NAME: Final = 128
"""Characters of a name or an id."""


def decode(message: str | bytes) -> Fields:
    """Read a message that is to be a JSON object.

    Raises:
        ProtocolProblem: It is none.
    """
    try:
        value = json.loads(message)
    except ValueError, RecursionError:
        # The cause would carry the text.
        raise ProtocolProblem(Reason.INVALID_EVENT) from None
    if not isinstance(value, dict):
        raise ProtocolProblem(Reason.INVALID_EVENT)
    return Fields(value)


class Fields:
    """The fields of a JSON object; null is as good as none.

    Every method raises ProtocolProblem, naming the field, when there is something else.
    """

    def __init__(self, values: JsonObject, path: str = "") -> None:
        """Take an object and the path that leads to it."""
        self._values = values
        self._path = path

    def text(self, name: str, longest: int) -> str | None:
        """Return a text as it is, empty or not."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._problem(name, "a text")
        if len(value) > longest:
            raise self._problem(name, f"at most {longest} characters")
        # Half a character can come in JSON, and cannot be written anywhere.
        return value.encode("utf-8", "replace").decode("utf-8")

    def name(self, name: str, longest: int = MAX_NAME) -> str | None:
        """Return a short text without blanks around it; None when nothing is left."""
        value = (self.text(name, longest) or "").strip()
        if not value.isprintable():
            raise self._problem(name, "printable characters")
        return value or None

    def required_text(self, name: str, longest: int) -> str:
        """Return a text that must be there."""
        value = self.text(name, longest)
        if value is None:
            raise self._problem(name, "a text")
        return value

    def required_name(self, name: str) -> str:
        """Return a short text that must be there, with something in it."""
        value = self.name(name)
        if value is None:
            raise self._problem(name, "a name")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """Return a number between two others."""
        value = self._values.get(name)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most or not isfinite(value):
            raise self._problem(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def seconds(self, name: str, least: float, most: float) -> float | None:
        """Return a duration; the wire counts milliseconds."""
        value = self.number(name, least * MILLISECONDS, most * MILLISECONDS)
        return None if value is None else value / MILLISECONDS

    def one_of[Value: (int, str)](self, name: str, allowed: Collection[Value]) -> Value | None:
        """Return one of some values."""
        value = self._values.get(name)
        if value is None:
            return None
        for choice in allowed:
            if type(value) in {int, str} and value == choice:
                return choice
        raise self._problem(name, "one of " + ", ".join(map(str, allowed)))

    def member[Member: StrEnum](self, name: str, kind: type[Member]) -> Member | None:
        """Return a member of an enum."""
        value = self.one_of(name, [str(member) for member in kind])
        return None if value is None else kind(value)

    def flag(self, name: str) -> bool | None:
        """Return a yes or no."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._problem(name, "true or false")

    def part(self, name: str) -> Self:
        """Return the fields of an object in it; none when it is not there."""
        value = self._values.get(name)
        if not isinstance(value, dict | None):
            raise self._problem(name, "an object")
        return type(self)(value or {}, f"{self._path}{name}.")

    def parts(self, name: str) -> list[Self]:
        """Return the fields of the objects of a list."""
        value = self._values.get(name)
        if not isinstance(value, list | None):
            raise self._problem(name, "a list")
        items = value or []
        if not all(isinstance(item, dict) for item in items):
            raise self._problem(name, "a list of objects")
        return [type(self)(item, f"{self._path}{name}.") for item in items]

    def names(self, name: str) -> list[str]:
        """Return the texts of a list."""
        value = self._values.get(name)
        if not isinstance(value, list | None) or not all(
            isinstance(item, str) for item in value or []
        ):
            raise self._problem(name, "a list of texts")
        return value or []

    def _problem(self, name: str, wanted: str) -> ProtocolProblem:
        """Say which field is wrong, and never what is in it."""
        return ProtocolProblem(Reason.INVALID_EVENT, f"{self._path}{name}: {wanted}")

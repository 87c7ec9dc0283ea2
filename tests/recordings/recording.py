"""Reads recordings."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path
from typing import Any, Final, Self

type JsonObject = dict[str, Any]

FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a recording."""

    direction: str
    """`out` (to the gateway), `in`, `close` or `note`."""

    connection: str
    frame: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One scenario."""

    name: str
    lines: tuple[Line, ...]

    @classmethod
    @cache
    def load(cls, name: str) -> Self:
        """Read the scenario of this name."""
        lines = map(json.loads, (FOLDER / f"{name}.jsonl").read_text().splitlines())
        return cls(name=name, lines=tuple(map(_line, lines)))

    def on(self, connection: str | None = None) -> tuple[Line, ...]:
        """Return the lines of one connection, by default of the first."""
        wanted = connection or next(line.connection for line in self.lines if line.connection)
        return tuple(line for line in self.lines if line.connection == wanted)

    def answer(self, method: str, *, number: int = 1, connection: str | None = None) -> JsonObject:
        """Return the payload of the first response to the first or a later request of a method."""
        lines = self.on(connection)
        asked = [line.frame["id"] for line in lines if line.frame.get("method") == method]
        request_id = asked[number - 1]
        return next(
            line.frame["payload"]
            for line in lines
            if line.direction == "in" and line.frame.get("id") == request_id
        )

    def received(self) -> Iterator[tuple[JsonObject, str | None]]:
        """Yield every frame of the gateway, with the method it answers if it is a response."""
        methods: dict[tuple[str, str], str] = {}
        for line in self.lines:
            key = (line.connection, line.frame.get("id", ""))
            if line.direction == "out":
                methods[key] = line.frame["method"]
            elif line.direction == "in":
                yield line.frame, methods.get(key)


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def _line(line: JsonObject) -> Line:
    return Line(direction=line["dir"], connection=line.get("conn", ""), frame=line.get("frame", {}))

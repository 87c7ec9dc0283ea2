"""An answer in a form that was asked for: how to ask, and what came of it (pure)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
import json
import math
import re
from typing import Any, Final

import probatio
import voluptuous as vol

MAX_TEXT: Final = 1_000_000
"""Characters of an answer that are looked through."""

MAX_ATTEMPTS: Final = 50
"""Places of a text at which a JSON value may begin that are tried."""

MAX_PROBLEMS: Final = 10
"""Problems an agent is told about at once."""

ASK: Final = (
    "Answer with exactly one JSON value that matches the JSON schema below, and with nothing "
    "else: no explanation, no Markdown. Nobody reads the answer; a program does."
)
ASK_AGAIN: Final = (
    "Your last answer does not match the JSON schema. Answer again, with exactly one JSON value "
    "that matches it, and with nothing else. What was wrong:"
)
NO_JSON: Final = "there was no JSON value in it"

_FENCED: Final = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_BOOLEANS: Final = {"true": True, "false": False}
_VALUE: Final = re.compile(r"[\[{]")


class _Decoder(json.JSONDecoder):
    """Reads JSON as it is defined: numbers only, no `NaN`."""

    def __init__(self) -> None:
        """Refuse what Python would add."""
        super().__init__(parse_constant=_refuse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something an answer does not have as it should."""

    path: str
    """Of the field, as `people[0].name`; empty for the value as a whole."""

    reason: str = field(repr=False)
    """For the agent; may hold words of its answer."""


class UnstructuredAnswerError(Exception):
    """An answer is not in the form that was asked for."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Nothing of the answer goes into the message."""
        super().__init__(f"{len(problems)} problems")
        self.problems: Final = problems

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are wrong or missing; none when the answer as a whole is."""
        return tuple(dict.fromkeys(problem.path for problem in self.problems if problem.path))


class Structure:
    """A form for an answer."""

    def __init__(self, schema: vol.Schema, serializer: Callable[[Any], Any] | None = None) -> None:
        """`serializer` knows how to describe what `schema` is made of besides plain types."""
        self._schema = schema
        self._described: Mapping[str, Any] = probatio.to_openapi(
            schema, custom_serializer=serializer, openapi_version="3.1.0"
        )

    @property
    def request(self) -> str:
        """What an agent is told so that it answers in this form."""
        return f"{ASK}\n\n{json.dumps(self._described, ensure_ascii=False)}"

    def read(self, answer: str) -> object:
        """Return the value in an answer, as the schema makes it.

        Fences and prose around the JSON are passed over. Of several values in fences, or in prose,
        the last one that matches counts: who thinks aloud ends with what was meant.

        Raises:
            UnstructuredAnswerError: No JSON value in it matches.
        """
        closest: UnstructuredAnswerError | None = None
        for values in _values_in(answer[:MAX_TEXT]):
            for value in reversed(values):
                try:
                    return self._read_value(value)
                except UnstructuredAnswerError as err:
                    # A number in prose, as in a footnote, is JSON, too; fields tell what was meant.
                    if closest is None or (err.fields and not closest.fields):
                        closest = err
        raise closest or UnstructuredAnswerError((Problem(path="", reason=NO_JSON),))

    def _read_value(self, value: object) -> object:
        """Return a value as the schema makes it, or raise `UnstructuredAnswerError`."""
        problems: list[Problem] = []
        meant = _as_described(value, self._described, [], problems)
        made: object = None
        try:
            made = self._schema(meant)
        except vol.Invalid as err:
            noted = {problem.path for problem in problems}
            problems += [problem for problem in _problems_of(err) if problem.path not in noted]
        if problems:
            raise UnstructuredAnswerError(tuple(problems))
        return _whole_numbers(meant, made)


def ask_again(error: UnstructuredAnswerError) -> str:
    """Return what an agent is told so that it mends its last answer."""
    lines = [
        f"- {problem.path}: {problem.reason}" if problem.path else f"- {problem.reason}"
        for problem in error.problems[:MAX_PROBLEMS]
    ]
    return "\n".join([ASK_AGAIN, *lines])


def _values_in(text: str) -> Iterator[list[object]]:
    """Yield the JSON values of a text: all of it, then what is fenced, then what stands in prose."""
    for candidates in ([text], _FENCED.findall(text)):
        values: list[object] = []
        for candidate in candidates[-MAX_ATTEMPTS:]:
            with suppress(ValueError, RecursionError):
                values.append(_Decoder().decode(candidate.strip()))
        yield values
    yield list(_values_in_prose(text))


def _values_in_prose(text: str) -> Iterator[object]:
    decoder = _Decoder()
    position = 0
    for _ in range(MAX_ATTEMPTS):
        if (found := _VALUE.search(text, position)) is None:
            return
        try:
            value, position = decoder.raw_decode(text, found.start())
        except ValueError, RecursionError:
            position = found.end()
        else:
            yield value


def _as_described(
    value: object, described: Mapping[str, Any], path: list[str | int], problems: list[Problem]
) -> object:
    """Return what a value says, of the types it is to have.

    Selectors take whatever Python can make of it, for which `"false"` is true. What has another
    type is noted in `problems`.

    Args:
        value: As it was written.
        described: JSON schema.
        path: Where in the whole it stands.
        problems: Is added to.
    """
    match value, described:
        case dict(), {"type": "object", "properties": dict(properties)}:
            required = described.get("required", ())
            return {
                name: _as_described(item, properties.get(name, {}), [*path, name], problems)
                for name, item in value.items()
                # Many models write out what they have nothing for.
                if item is not None or name in required or name not in properties
            }
        case list(), {"type": "array", "items": dict(items)}:
            return [
                _as_described(item, items, [*path, index], problems)
                for index, item in enumerate(value)
            ]
        case _, {"type": "boolean"}:
            read = _BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value
            is_right = isinstance(read, bool)
        case _, {"type": "number" | "integer"}:
            read = _number(value)
            is_right = read is not None
        case _:
            return value
    if not is_right:
        problems.append(Problem(path=_path_of(path), reason=f"expected a {described['type']}"))
    return read


def _number(value: object) -> int | float | None:
    """Return a number, also one that was written as a text; None when it is none JSON has."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError, RecursionError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):
        if math.isfinite(value):
            return value
    return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _problems_of(error: vol.Invalid) -> tuple[Problem, ...]:
    errors = error.errors if isinstance(error, vol.MultipleInvalid) else [error]
    return tuple(Problem(path=_path_of(each.path), reason=each.error_message) for each in errors)


def _path_of(parts: Sequence[Any]) -> str:
    """Return a path as people write it."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _whole_numbers(raw: object, made: object) -> object:
    """Keep a whole number as it was written: a selector makes `5` a `5.0`."""
    match raw, made:
        case dict(), dict():
            return {key: _whole_numbers(raw.get(key), value) for key, value in made.items()}
        case list(), list() if len(raw) == len(made):
            return [_whole_numbers(one, other) for one, other in zip(raw, made, strict=True)]
        case int(), float() if raw == made and not isinstance(raw, bool):
            return raw
    return made

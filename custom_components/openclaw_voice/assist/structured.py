"""An answer in a form that was asked for: how to ask, and what came of it (pure)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
import json
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

        Fences and prose around the JSON are passed over.

        Raises:
            UnstructuredAnswerError: No JSON value in it matches.
        """
        closest: UnstructuredAnswerError | None = None
        for value in _values_in(answer[:MAX_TEXT]):
            try:
                return _whole_numbers(value, self._schema(value))
            except vol.Invalid as err:
                error = UnstructuredAnswerError(_problems_of(err))
            # A number in prose, as in a footnote, is JSON, too; fields tell what was meant.
            if closest is None or (error.fields and not closest.fields):
                closest = error
        raise closest or UnstructuredAnswerError((Problem(path="", reason=NO_JSON),))


def ask_again(error: UnstructuredAnswerError) -> str:
    """Return what an agent is told so that it mends its last answer."""
    lines = [
        f"- {problem.path}: {problem.reason}" if problem.path else f"- {problem.reason}"
        for problem in error.problems[:MAX_PROBLEMS]
    ]
    return "\n".join([ASK_AGAIN, *lines])


def _values_in(text: str) -> Iterator[object]:
    """Yield the JSON values of a text: all of it, what is fenced, what stands in prose."""
    decoder = _Decoder()
    for candidate in (text, *_FENCED.findall(text)):
        try:
            yield decoder.decode(candidate.strip())
        except ValueError, RecursionError:
            continue
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


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _problems_of(error: vol.Invalid) -> tuple[Problem, ...]:
    errors = error.errors if isinstance(error, vol.MultipleInvalid) else [error]
    return tuple(Problem(path=_path_of(each.path), reason=each.error_message) for each in errors)


def _path_of(parts: list[Any]) -> str:
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

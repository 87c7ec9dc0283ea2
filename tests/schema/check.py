"""Validates single frames in both directions.

Validators are compiled once. Checking a frame of a run takes a fraction of a millisecond.
"""

from collections.abc import Iterable
from functools import cache
import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from .definitions import EVENTS, EXTRA_FIELDS, EXTRA_PARAMS, NO_PARAMS, PARAMS, RESULTS

type JsonObject = dict[str, Any]

PACKAGE: Final = Path(__file__).parents[2] / "node_modules" / "@openclaw" / "gateway-protocol"
VERSION: Final = "2026.9.1"
"""The version package.json pins. A newer one may allow what this one forbids."""


class ProtocolViolation(AssertionError):  # noqa: N818 - reads as what a test failed for
    """A frame does not match the gateway's schema."""


def check_sent(frame: JsonObject) -> None:
    """Check a request of a client, with the params of its method.

    Raises:
        ProtocolViolation: It does not match, or the method is not in our table.
    """
    _check("RequestFrame", frame)
    method = frame["method"]
    if method not in PARAMS:
        raise ProtocolViolation(f"No definition of {method}; add it to tests/schema/definitions.py")
    params = _without(frame.get("params", {}), EXTRA_PARAMS.get(method, ()))
    _check(PARAMS[method], params, of=method)


def check_received(frame: JsonObject, *, method: str | None = None) -> None:
    """Check a frame of a gateway; `method` is what a response answers.

    Raises:
        ProtocolViolation: It does not match.
    """
    if frame.get("type") == "event":
        _check("EventFrame", frame)
        name, definition = frame["event"], EVENTS.get(frame["event"])
    else:
        _check("ResponseFrame", frame)
        name, definition = method, RESULTS.get(method or "") if frame["ok"] else None
    if definition:
        payload = _without(frame.get("payload", {}), EXTRA_FIELDS.get(definition, ()))
        _check(definition, payload, of=name)


def violations(definition: str, value: object) -> list[str]:
    """Return every reason why a value does not match a definition, as path and message."""
    errors = _validator(definition).iter_errors(value)
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


def _check(definition: str, value: object, *, of: str | None = None) -> None:
    """Raise unless a value matches a definition."""
    if error := best_match(_validator(definition).iter_errors(value)):
        subject = f"{definition} of {of}" if of else definition
        raise ProtocolViolation(f"{subject}: {error.json_path}: {error.message[:300]}")


def _without(value: JsonObject, paths: Iterable[str]) -> JsonObject:
    """Return an object without the fields at some paths."""
    result = dict(value)
    for path in paths:
        name, _, rest = path.partition("/")
        if rest and isinstance(result.get(name), dict):
            result[name] = _without(result[name], (rest,))
        elif not rest:
            result.pop(name, None)
    return result


@cache
def _validator(definition: str) -> Draft7Validator:
    """Return the validator of a definition; none of them refers to another."""
    if definition == NO_PARAMS:
        return Draft7Validator({"type": "object", "additionalProperties": False})
    return Draft7Validator(_definitions()[definition])


@cache
def _definitions() -> dict[str, JsonObject]:
    """Read the published schema.

    Raises:
        FileNotFoundError: It is not installed.
    """
    path = PACKAGE / "protocol.schema.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run scripts/setup schema")
    definitions: dict[str, JsonObject] = json.loads(path.read_text())["definitions"]
    return definitions

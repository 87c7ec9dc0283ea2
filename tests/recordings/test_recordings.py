"""The recordings show what the schema check lets through, and hold no secret."""

from collections.abc import Iterator
import re
from typing import Any

import pytest

from tests.recordings import Recording, names
from tests.recordings.recording import FOLDER
from tests.schema.check import check_received, check_sent
from tests.schema.definitions import EVENTS, EXTRA_FIELDS, RESULTS

PLACEHOLDERS = {
    "auth": "<token>|<secret>|wrong",
    "device": "<device-id>|<public-key>|<signature>",
}
PLACE_OF_THIS_MACHINE = re.compile(r"/root/|/tmp/|/work/|/home/(?!user/)")
ADDRESS = re.compile(r"\b(?!127\.0\.0\.1\b|192\.0\.2\.)(?:\d{1,3}\.){3}\d{1,3}\b")

EXTRA = sorted(
    (definition, path) for definition in EXTRA_FIELDS for path in EXTRA_FIELDS[definition]
)


def payloads(definition: str) -> Iterator[dict[str, Any]]:
    """Yield every recorded payload of one definition."""
    for name in names():
        for frame, method in Recording.load(name).received():
            found = EVENTS.get(frame.get("event", "")) or RESULTS.get(method or "")
            if found == definition and frame.get("ok", True):
                yield frame["payload"]


def has_field(value: object, path: str) -> bool:
    """Return whether there is something at a path."""
    for name in path.split("/"):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


@pytest.mark.parametrize("name", names())
def test_recorded_frames_pass_the_schema_check(name: str) -> None:
    """What the real gateway sends is what the check lets through, and what it was sent is right."""
    recording = Recording.load(name)
    for frame, method in recording.received():
        check_received(frame, method=method)
    for line in recording.lines:
        if line.direction == "out":
            check_sent(line.frame)


@pytest.mark.parametrize(("definition", "path"), EXTRA)
def test_every_extra_field_was_recorded(definition: str, path: str) -> None:
    """No field is let through against the schema that the real gateway does not send."""
    assert any(has_field(payload, path) for payload in payloads(definition))


@pytest.mark.parametrize("name", names())
def test_recording_holds_no_secret(name: str) -> None:
    """Credentials, keys, paths and addresses are replaced."""
    for line in Recording.load(name).lines:
        if line.frame.get("method") != "connect":
            continue
        for part, allowed in PLACEHOLDERS.items():
            shown = line.frame["params"].get(part, {})
            for field in shown.keys() - {"signedAt", "nonce"}:
                assert re.fullmatch(allowed, shown[field]), f"{part}.{field}"
    text = (FOLDER / f"{name}.jsonl").read_text()
    assert not PLACE_OF_THIS_MACHINE.search(text)
    # A version such as 2026.9.6 has three parts, an address four.
    assert not ADDRESS.search(text)
    assert not re.search(r'"(?:deviceToken|recoveryScope)": "(?!<secret>)', text)

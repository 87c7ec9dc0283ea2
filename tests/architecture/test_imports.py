"""Dependencies point one way: flat files, rooms, gateway."""

from pathlib import Path

import pytest

from scripts.lib.coverage_floors import INTEGRATION, floor_of

from .source import FILES, ROOT, imports_of, name_of

PACKAGE = "custom_components.openclaw_voice"
GATEWAY = [path for path in FILES if path.parent == ROOT / "gateway"]
ROOMS = [path for path in FILES if name_of(path).startswith(("assist/", "outbox/", "realtime/"))]
ROOMS_BELOW = {
    "assist": ("assist", "outbox", "gateway"),
    "outbox": ("outbox", "gateway"),
    "realtime": ("realtime", "assist", "outbox", "gateway"),
}
PURE = [
    ROOT / "assist" / "session_key.py",
    ROOT / "assist" / "context.py",
    ROOT / "assist" / "scope.py",
    ROOT / "assist" / "followup.py",
    ROOT / "assist" / "patient.py",
    ROOT / "assist" / "question.py",
    ROOT / "assist" / "run_limit.py",
    ROOT / "assist" / "spoken_answer.py",
    ROOT / "assist" / "structured.py",
    ROOT / "assist" / "task_errors.py",
    ROOT / "assist" / "timings.py",
    *sorted((ROOT / "assist").glob("command*.py")),
    *sorted((ROOT / "assist").glob("consent*.py")),
    *sorted((ROOT / "assist" / "speech").glob("*.py")),
    ROOT / "outbox" / "asked.py",
    ROOT / "outbox" / "late_answer.py",
    ROOT / "outbox" / "notification.py",
    ROOT / "outbox" / "notifications.py",
    ROOT / "outbox" / "notification_options.py",
    ROOT / "outbox" / "pending.py",
    ROOT / "outbox" / "queue.py",
    ROOT / "outbox" / "quiet_hours.py",
    ROOT / "outbox" / "replies.py",
    ROOT / "outbox" / "reply.py",
    ROOT / "outbox" / "unsaid.py",
    ROOT / "outbox" / "wording.py",
    ROOT / "realtime" / "audio.py",
    ROOT / "realtime" / "backend.py",
    ROOT / "realtime" / "clauses.py",
    ROOT / "realtime" / "client_events.py",
    ROOT / "realtime" / "client_messages.py",
    ROOT / "realtime" / "message_fields.py",
    ROOT / "realtime" / "protocol.py",
    ROOT / "realtime" / "server_events.py",
    ROOT / "realtime" / "session_config.py",
    ROOT / "realtime" / "end_of_speech.py",
    ROOT / "realtime" / "playback.py",
    ROOT / "realtime" / "wav.py",
    ROOT / "flow_input.py",
    ROOT / "gateway_url.py",
    ROOT / "pairing.py",
    ROOT / "text_pattern.py",
]
SANS_IO = [
    ROOT / "gateway" / f"{name}.py"
    for name in ("errors", "frames", "handshake", "identity", "models", "redact", "retry")
]


@pytest.mark.parametrize("path", [*GATEWAY, *PURE], ids=name_of)
def test_the_gateway_client_and_pure_files_do_not_know_home_assistant(path: Path) -> None:
    """They can be tested with strings, and lifted out by moving a folder."""
    assert [name for name in imports_of(path) if name.split(".")[0] == "homeassistant"] == []


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_pure_files_are_covered_whole(path: Path) -> None:
    """What needs neither a loop nor Home Assistant leaves no excuse for a line without a test."""
    assert floor_of(f"{INTEGRATION}/{name_of(path)}") == 100


@pytest.mark.parametrize("path", GATEWAY, ids=name_of)
def test_the_gateway_client_knows_nothing_above_it(path: Path) -> None:
    """A word of one vocabulary never leaks into another."""
    above = [
        name
        for name in imports_of(path)
        if name.startswith(PACKAGE) and not name.startswith(f"{PACKAGE}.gateway")
    ]
    assert above == []


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_rooms_import_neither_flat_files_nor_rooms_above(path: Path) -> None:
    """What a room needs of them is passed in; a turn hands its run to the outbox, never back."""
    below = tuple(f"{PACKAGE}.{room}" for room in ROOMS_BELOW[name_of(path).split("/")[0]])
    above = [
        name for name in imports_of(path) if name.startswith(PACKAGE) and not name.startswith(below)
    ]
    assert above == []


@pytest.mark.parametrize("path", SANS_IO, ids=name_of)
def test_parsing_and_deciding_are_free_of_sockets_and_tasks(path: Path) -> None:
    """The risky part is tested without a loop."""
    assert not {"asyncio", "websockets", "socket", "time"} & {
        name.split(".")[0] for name in imports_of(path)
    }


def test_imports_are_resolved() -> None:
    """The tests above see what they are about."""
    assert f"{PACKAGE}.gateway.errors" in imports_of(ROOT / "assist" / "turn.py")
    assert f"{PACKAGE}.const" in imports_of(ROOT / "conversation.py")
    assert "homeassistant.helpers" in imports_of(ROOT / "assist" / "chat_deltas.py")

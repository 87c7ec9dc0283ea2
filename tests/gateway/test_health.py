"""How the gateway is, its clients, and whether there is a newer one."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.health import (
    MAX_VERSION,
    Health,
    Problem,
    SystemInfo,
    UpdateInfo,
    connected_clients,
)
from tests.gateway.garbage import JSON_OBJECTS, JSON_VALUES
from tests.recordings import Recording

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
AGENT = {
    "agentId": "main",
    "sessions": {
        "count": 79,
        "recent": [{"updatedAt": NOON_MS - 1_000}, {"updatedAt": NOON_MS}, {"updatedAt": "soon"}],
    },
}
HEALTH: dict[str, Any] = {
    "ok": True,
    "agents": [AGENT, {"agentId": "kitchen", "sessions": {"count": 24, "recent": []}}, {}],
    "sessions": {"count": 79},
}


def test_sessions_are_those_of_all_agents() -> None:
    """The number beside the agents is that of the default one alone."""
    health = Health.from_payload(HEALTH)
    assert health == Health(sessions=103, last_used={"main": NOON})
    assert health.is_ok


def test_without_agents_the_number_beside_them_counts() -> None:
    """A gateway with one agent may tell no others."""
    health = Health.from_payload({"ok": True, "sessions": {"count": 3}})
    assert health == Health(sessions=3)


@pytest.mark.parametrize("payload", [{}, {"ok": "yes"}, {"sessions": {"count": 3}}], ids=str)
def test_a_gateway_that_is_starting_tells_nothing(payload: dict[str, Any]) -> None:
    """What it knows by then is not all."""
    assert Health.from_payload(payload) is None


@pytest.mark.parametrize(
    ("fields", "problem", "is_ok"),
    [
        ({"ok": False}, Problem.GATEWAY, False),
        ({"plugins": {"errors": [{"id": "x"}]}}, Problem.PLUGINS, False),
        ({"modelRuntime": {"degraded": True}}, Problem.MODELS, False),
        ({"eventLoop": {"degraded": True}}, Problem.BUSY, True),
    ],
    ids=str,
)
def test_problems_are_named(fields: dict[str, Any], problem: Problem, is_ok: bool) -> None:
    """A gateway that has a lot to do is well all the same."""
    health = Health.from_payload({"ok": True} | fields)
    assert health is not None
    assert health.problems == (problem,)
    assert health.is_ok is is_ok


def test_memory_is_that_of_the_process() -> None:
    """The machine has more."""
    payload = {"memoryTotalBytes": 9, "processMemory": {"rssBytes": 1_626_902_528}}
    assert SystemInfo.from_payload(payload) == SystemInfo(memory=1_626_902_528)
    assert SystemInfo.from_payload({}) == SystemInfo(memory=None)


def test_a_newer_version_is_told() -> None:
    """With the channel it comes from; secrets and novels are not versions."""
    update = {"currentVersion": "2026.9.6", "latestVersion": "2026.10.1", "channel": "stable"}
    assert UpdateInfo.from_payload(update) == UpdateInfo(
        installed="2026.9.6", latest="2026.10.1", channel="stable"
    )
    told = UpdateInfo.from_payload(update | {"latestVersion": "1.2 " * 50, "channel": None})
    assert told is not None
    assert told.latest == ("1.2 " * 50)[:MAX_VERSION]
    assert told.channel is None
    told = UpdateInfo.from_payload(update | {"latestVersion": "token=planted-secret"})
    assert told is not None
    assert "planted" not in told.latest


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"currentVersion": "1"},
        {"latestVersion": "1"},
        {"currentVersion": "1", "latestVersion": "1"},
    ],
    ids=str,
)
def test_the_same_version_is_no_update(payload: object) -> None:
    """Neither is one that is not known."""
    assert UpdateInfo.from_payload(payload) is None


def test_clients_are_counted_while_they_are_connected() -> None:
    """The list has the gateway itself, and for a while those that are gone."""
    presence = [
        {"mode": "gateway", "reason": "self"},
        {"mode": "backend", "reason": "connect"},
        {"mode": "node", "reason": "disconnect"},
        {"mode": "ui"},
    ]
    assert connected_clients(presence) == 2
    assert connected_clients(None) is None


def test_a_real_gateway_is_read() -> None:
    """What its hello says is what the events say later."""
    snapshot = Recording.load("hello").answer("connect")["snapshot"]
    health = Health.from_payload(snapshot["health"])
    assert health is not None
    assert health.sessions == 1
    assert health.problems == (Problem.BUSY,)
    assert health.last_used.keys() == {"main"}
    assert connected_clients(snapshot["presence"]) == 0


@given(JSON_OBJECTS, JSON_VALUES)
def test_any_answer_can_be_read(payload: dict[str, Any], value: object) -> None:
    """A newer gateway must not break us."""
    Health.from_payload(payload | {"ok": True, "agents": value})
    SystemInfo.from_payload(payload)
    UpdateInfo.from_payload(value)
    connected_clients(value)

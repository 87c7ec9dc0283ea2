"""What agents say when they look around by themselves."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.heartbeat import Heartbeat, HeartbeatText
from tests.fakes.gateway import Expect, ScriptedGateway

from .garbage import JSON_OBJECTS

type JsonObject = dict[str, Any]

END_MS = 1795168922580
END = datetime(2026, 11, 20, 10, 2, 2, 580_000, UTC)
WHOLE = "The washing machine\nhas finished. " + "Please hang up the laundry. " * 20
PAYLOAD: JsonObject = {
    "ts": END_MS,
    "status": "skipped",
    "preview": WHOLE[:200],
    "reason": "no-route",
    "hasMedia": False,
    "durationMs": 1339,
    "message": "Heartbeat has no delivery route yet.",
}


def heartbeat(**fields: object) -> Heartbeat:
    """Return the heartbeat of these tests."""
    found = Heartbeat.from_payload(PAYLOAD | fields)
    assert found is not None
    return found


def row(text: str = WHOLE, at: int = END_MS - 58, **fields: object) -> JsonObject:
    """Return a row of a main session."""
    content = [{"type": "text", "text": text}]
    return {"role": "assistant", "content": content, "timestamp": at} | fields


def test_a_heartbeat_tells_what_was_said() -> None:
    """The gateway does not say who said it."""
    found = heartbeat()

    assert found.at == END
    assert (found.status, found.reason, found.agent_id) == ("skipped", "no-route", None)
    assert found.text == WHOLE[:200]
    assert found.duration == pytest.approx(1.339)
    assert found.has_text
    assert "washing" not in repr(found)


@pytest.mark.parametrize(
    ("fields", "has_text"),
    [
        ({"status": "sent"}, True),
        ({"preview": None, "reason": "requests-in-flight"}, False),
        ({"preview": "HEARTBEAT_OK"}, False),
        ({"preview": "NO_REPLY", "status": "sent"}, False),
        ({"status": "ok-token"}, False),
        ({"status": "failed"}, False),
        # Told before, as nothing has changed since.
        ({"reason": "duplicate"}, False),
        # Tried again until it can be sent.
        ({"reason": "channel not linked"}, False),
        ({"reason": "alerts-disabled"}, False),
        ({"reason": "no-target"}, True),
        ({"reason": "target-none"}, True),
        ({"reason": None}, False),
    ],
    ids=str,
)
def test_only_words_for_people_count(fields: JsonObject, has_text: bool) -> None:
    """An agent that looks around every half hour mostly has nothing to say."""
    assert heartbeat(**fields).has_text is has_text


@pytest.mark.parametrize("field", ["ts", "status"])
def test_an_incomplete_heartbeat_is_none(field: str) -> None:
    """Without a time it could not be told from others."""
    assert Heartbeat.from_payload(PAYLOAD | {field: None}) is None


def test_a_reason_without_secrets() -> None:
    """It comes from outside."""
    found = heartbeat(reason="token=sk-abcdefghijklmnopqrstuvwx refused", durationMs=None)

    assert "abcdefghijkl" not in (found.reason or "")
    assert found.duration == 0.0
    assert heartbeat(reason=None).reason is None


@pytest.mark.parametrize(("answer", "is_known"), [(PAYLOAD, True), ({}, False)])
async def test_the_last_one_is_asked_for(
    gateway: ScriptedGateway, client: GatewayClient, answer: JsonObject, is_known: bool
) -> None:
    """There is none after a start of the gateway."""
    gateway.script(Expect("last-heartbeat", reply=answer))

    assert await client.heartbeat.last() == (heartbeat() if is_known else None)


async def test_the_whole_text_is_in_the_session_of_its_agent(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Each agent is asked until one has said it."""
    gateway.script(
        Expect(
            "chat.history",
            params={"sessionKey": "agent:main:main"},
            reply={"messages": [row("Something else.")]},
        ),
        Expect(
            "chat.history",
            params={"sessionKey": "agent:kitchen:main", "limit": 10, "maxChars": 500_000},
            reply={"messages": [row("Older."), row(), {"role": "toolResult"}]},
        ),
    )

    found = await client.heartbeat.full_text(heartbeat(), ("main", "kitchen", "cellar"))

    assert found == HeartbeatText(agent_id="kitchen", session_key="agent:kitchen:main", text=WHOLE)
    assert "washing" not in repr(found)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(role="user")],
        [row(at=END_MS - 60_000)],
        [row(at=END_MS + 60_000)],
        [row(timestamp=None)],
        [row("Not that.")],
    ],
    ids=["none", "of a user", "before", "after", "at no time", "other words"],
)
async def test_words_of_another_time_are_not_those(
    gateway: ScriptedGateway, client: GatewayClient, rows: list[JsonObject]
) -> None:
    """An agent says the same thing again and again."""
    gateway.script(Expect("chat.history", reply={"messages": rows}))

    assert await client.heartbeat.full_text(heartbeat(), ("main",)) is None


@given(JSON_OBJECTS)
def test_no_frame_breaks_the_reader(payload: JsonObject) -> None:
    """Any object may come."""
    Heartbeat.from_payload(payload)
    Heartbeat.from_payload({"ts": 1, "status": "sent"} | payload)

"""Which sessions the gateway keeps, and what was said in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway import sessions
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import RequestError
from custom_components.openclaw_voice.gateway.sessions import (
    MAX_ROWS,
    MessageRole,
    SessionInfo,
    SessionMessage,
    Sessions,
)
from tests.fakes import refusals
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.gateway.garbage import JSON_OBJECTS
from tests.recordings import Recording

KEY = "agent:kitchen:homeassistant:0a1b2c3d:shared:plans"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)

ROW: dict[str, Any] = {
    "key": KEY,
    "agentId": "kitchen",
    "label": "Plans",
    "updatedAt": NOON_MS,
    "hasActiveRun": True,
    "modelProvider": "demo",
    "model": "demo-1",
    "totalTokens": 1_234,
}


def user_row(text: object, run_id: str = "run-1", **fields: object) -> dict[str, Any]:
    """Return a row with what a user said."""
    key = f"{run_id}:user"
    return {"role": "user", "content": text, "idempotencyKey": key, "timestamp": NOON_MS} | fields


def answer_row(*texts: object, run_id: str = "run-1") -> dict[str, Any]:
    """Return a row with what an agent said, one block for each text."""
    return {
        "role": "assistant",
        "content": [{"type": "text", "text": text} for text in texts],
        "timestamp": NOON_MS,
        "__openclaw": {"runId": run_id},
    }


async def test_sessions_are_listed(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """Each comes with its agent, its label and what it uses."""
    gateway.script(
        Expect("sessions.list", params={"limit": 3}, reply={"sessions": [ROW, {"key": "main"}]})
    )

    assert await client.sessions.list(limit=3) == (
        SessionInfo(
            key=KEY,
            agent_id="kitchen",
            label="Plans",
            updated=NOON,
            is_active=True,
            model="demo/demo-1",
            total_tokens=1_234,
        ),
        SessionInfo(key="main", agent_id=None),
    )


async def test_only_one_agents_sessions_are_asked_for(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """The gateway chooses, so that the limit counts its sessions only."""
    gateway.script(
        Expect("sessions.list", params={"agentId": "kitchen", "limit": 200}, reply={"sessions": []})
    )

    assert await client.sessions.list("kitchen") == ()


def page(first: int, *, has_more: bool) -> dict[str, Any]:
    """Return a page of a list, the session used last first: each a minute older."""
    minute = 60_000
    rows = [
        {"key": f"agent:main:{number}", "updatedAt": ROW["updatedAt"] - number * minute}
        for number in range(first, first + 3)
    ]
    return {"sessions": rows, "hasMore": has_more}


async def test_the_sessions_used_since_a_moment_are_read_to_the_last(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """However many there are: jobs leave one for each of their runs."""
    gateway.script(
        Expect(
            "sessions.list",
            params=lambda params: params == {"limit": 200},
            reply=page(0, has_more=True),
        ),
        Expect("sessions.list", params={"offset": 3}, reply=page(3, has_more=True)),
    )

    found = await client.sessions.used_since(NOON - timedelta(minutes=4))

    assert [session.key for session in found] == [f"agent:main:{number}" for number in range(5)]


@pytest.mark.parametrize(
    "last", [{"sessions": []}, {"sessions": [], "hasMore": True}, page(3, has_more=False)], ids=str
)
async def test_no_more_sessions_are_asked_for_than_there_are(
    gateway: ScriptedGateway, client: GatewayClient, last: dict[str, Any]
) -> None:
    """A gateway that promises more than it has is not asked for ever."""
    gateway.script(
        Expect("sessions.list", reply=page(0, has_more=True)), Expect("sessions.list", reply=last)
    )

    found = await client.sessions.used_since(NOON - timedelta(days=1))

    assert len(found) == 3 + len(last["sessions"])


async def test_there_is_an_end_to_the_sessions_that_are_read(
    gateway: ScriptedGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those used last are the ones that count."""
    monkeypatch.setattr(sessions, "MAX_LISTED", 6)
    gateway.anytime(Expect("sessions.list", reply=page(0, has_more=True)))

    assert len(await client.sessions.used_since(NOON - timedelta(days=1))) == 6


@pytest.mark.parametrize(
    ("fields", "is_active"),
    [
        ({"hasActiveRun": True, "status": "done"}, True),
        ({"hasActiveRun": False, "status": "running"}, False),
        ({"status": "running"}, True),
        ({"status": "done"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_session_in_which_a_run_goes_on_is_active(
    fields: dict[str, Any], is_active: bool
) -> None:
    """A row without the flag tells it by the status."""
    session = SessionInfo.from_payload({"key": KEY} | fields)

    assert session is not None
    assert session.is_active is is_active


@pytest.mark.parametrize(
    ("key", "agent_id"),
    [("agent:main:x", "main"), ("agent:", None), ("global", None), ("agent", None)],
)
def test_a_row_without_an_agent_has_that_of_its_key(key: str, agent_id: str | None) -> None:
    """The key names its agent, if it has one."""
    session = SessionInfo.from_payload({"key": key})

    assert session is not None
    assert session.agent_id == agent_id


def test_odd_fields_of_a_session_are_unknown() -> None:
    """A row with a key is a session, whatever else it has."""
    row = {"key": KEY, "agentId": 1, "label": [], "updatedAt": "soon", "totalTokens": True}

    assert SessionInfo.from_payload(row) == SessionInfo(key=KEY, agent_id="kitchen")


def test_a_time_after_the_last_year_is_unknown() -> None:
    """A number that is no time breaks nothing."""
    session = SessionInfo.from_payload({"key": KEY, "updatedAt": 9e14})

    assert session is not None
    assert session.updated is None


async def test_a_row_without_a_key_is_left_out(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """What cannot be continued is no session."""
    rows = [None, {}, {"key": ""}, {"key": 1}, ROW]
    gateway.script(Expect("sessions.list", reply={"sessions": rows}))

    assert [session.key for session in await client.sessions.list()] == [KEY]


@pytest.mark.parametrize("model", ["demo/demo-2", None])
async def test_a_session_is_told_which_model_to_use(
    gateway: ScriptedGateway, client: GatewayClient, model: str | None
) -> None:
    """None takes the choice back."""
    gateway.script(
        Expect("sessions.patch", params={"key": KEY, "model": model}, reply={"ok": True})
    )

    await client.sessions.use_model(KEY, model)


async def test_a_refused_model_reaches_the_caller(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """Nothing is caught on the way."""
    gateway.script(Expect("sessions.patch", reply=refusals.missing_scope("operator.write")))

    with pytest.raises(RequestError):
        await client.sessions.use_model(KEY, "demo/demo-2")


async def test_messages_come_oldest_first(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """Each says who said it, when, and in which run."""
    rows = [user_row("How long?"), answer_row("Ten ", "minutes.")]
    gateway.script(
        Expect("chat.history", params={"sessionKey": KEY, "limit": 24}, reply={"messages": rows})
    )

    assert await client.sessions.messages(KEY, 6) == (
        SessionMessage(role=MessageRole.USER, text="How long?", at=NOON, run_id="run-1"),
        SessionMessage(role=MessageRole.ASSISTANT, text="Ten minutes.", at=NOON, run_id="run-1"),
    )


@pytest.mark.parametrize(
    ("limit", "texts"), [(2, ["b", "c"]), (9, ["a", "b", "c"]), (0, []), (-1, [])]
)
async def test_the_last_messages_are_kept(limit: int, texts: list[str]) -> None:
    """More rows are asked for than messages are wanted, and none of nothing."""
    rows = [user_row(text) for text in ("a", "b", "c")]

    messages = await Sessions(Answering({"messages": rows})).messages(KEY, limit)

    assert [message.text for message in messages] == texts


async def test_no_more_rows_are_asked_for_than_the_gateway_gives() -> None:
    """It refuses a larger number."""
    requester = Answering({})

    assert await Sessions(requester).messages(KEY, 900) == ()
    assert requester.asked == [("chat.history", {"sessionKey": KEY, "limit": MAX_ROWS})]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"role": "toolResult", "content": "18 degrees"}, id="result of a tool"),
        pytest.param(
            {"role": "assistant", "content": [{"type": "toolCall", "name": "exec"}]}, id="tool call"
        ),
        pytest.param({"role": "custom", "content": "System note"}, id="note"),
        pytest.param(
            user_row("[System] Continue.", provenance={"kind": "internal_system"}), id="gateway"
        ),
        pytest.param(answer_row("MEDIA:https://example.com/a.png"), id="media alone"),
        pytest.param(user_row(" \n"), id="nothing"),
        pytest.param({"content": "Hi"}, id="nobody"),
        pytest.param({}, id="empty"),
    ],
)
def test_what_nobody_said_is_no_message(row: dict[str, Any]) -> None:
    """Tools, notes and the gateway's own words are left out."""
    assert SessionMessage.from_payload(row) is None


def test_a_message_has_no_lines_about_media() -> None:
    """They are how a model attaches a file, not what it says."""
    message = SessionMessage.from_payload(answer_row("Look.\nMEDIA:https://example.com/a.png"))

    assert message is not None
    assert message.text == "Look."


@pytest.mark.parametrize(
    "row",
    [
        {"role": "user", "content": "Hi", "idempotencyKey": ":user"},
        {"role": "user", "content": "Hi", "idempotencyKey": "inject-1"},
        {"role": "assistant", "content": "Hi", "__openclaw": {"runId": 1}},
    ],
    ids=str,
)
def test_a_message_may_belong_to_no_known_run(row: dict[str, Any]) -> None:
    """What somebody put into the session has no run."""
    message = SessionMessage.from_payload(row)

    assert message is not None
    assert message.run_id is None


def test_what_was_said_does_not_show() -> None:
    """Neither in a log nor in an error."""
    message = SessionMessage(role=MessageRole.USER, text="the secret plan")

    assert "secret" not in repr(message)


def test_a_recorded_turn_with_a_tool_is_read() -> None:
    """What was said around the tool stays, the tool goes."""
    history = Recording.load("agent-recovery-during-tool").answer(
        "chat.history", number=2, connection="conn-2"
    )
    said = [SessionMessage.from_payload(row) for row in history["messages"]]

    roles = [message.role for message in said if message is not None]
    assert roles == [MessageRole.USER, MessageRole.ASSISTANT, MessageRole.ASSISTANT]


@given(JSON_OBJECTS)
def test_no_row_breaks_the_readers(row: dict[str, Any]) -> None:
    """Any object is a row, if one that says nothing."""
    SessionInfo.from_payload(row)
    SessionInfo.from_payload(row | {"key": "x"})
    SessionMessage.from_payload(row)
    SessionMessage.from_payload(row | {"role": "user"})


class Answering:
    """Answers every request with one payload."""

    def __init__(self, answer: dict[str, Any]) -> None:
        """Answer with `answer`."""
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any] | None]] = []

    async def request(
        self, method: str, params: dict[str, Any] | None = None, *, timeout: float = 1.0
    ) -> dict[str, Any]:
        """Note the request and answer it."""
        self.asked.append((method, params))
        return self.answer

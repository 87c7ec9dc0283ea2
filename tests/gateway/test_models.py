"""What the gateway tells about itself, and what we tell it."""

from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.errors import ProtocolError
from custom_components.openclaw_voice.gateway.health import Health, UpdateInfo
from custom_components.openclaw_voice.gateway.models import (
    DEFAULT_ATTACHMENT_BYTES,
    DEFAULT_IMAGE_BYTES,
    DEFAULT_MAX_PAYLOAD,
    DEFAULT_SCOPES,
    DEFAULT_TICK_INTERVAL,
    READ,
    WRITE,
    AgentInfo,
    AgentList,
    AttachmentLimits,
    ConnectionSettings,
    Credentials,
    HelloOk,
    ModelInfo,
    Policy,
)
from tests.gateway.garbage import JSON_OBJECTS
from tests.recordings import Recording

HELLO: dict[str, Any] = {
    "type": "hello-ok",
    "protocol": 4,
    "server": {"version": "2026.9.6", "bootId": "boot-1"},
    "features": {"methods": ["health", "agent"]},
    "auth": {"scopes": [READ, WRITE], "deviceToken": "the-device-token"},
    "policy": {"maxPayload": 1_000, "tickIntervalMs": 15_000},
}


@pytest.mark.parametrize(
    ("credentials", "wire"),
    [
        pytest.param(Credentials(), None, id="none"),
        pytest.param(Credentials(secret=""), None, id="empty"),
        pytest.param(Credentials(secret="s"), ("token", "s"), id="secret"),
        pytest.param(Credentials(bootstrap_token="b"), ("bootstrapToken", "b"), id="setup code"),
        pytest.param(Credentials(device_token="d"), ("deviceToken", "d"), id="device token"),
        pytest.param(
            Credentials(device_token="d", secret="s", bootstrap_token="b"),
            ("deviceToken", "d"),
            id="all",
        ),
        pytest.param(
            Credentials(secret="s", bootstrap_token="b"), ("token", "s"), id="secret and setup code"
        ),
    ],
)
def test_the_best_credential_is_sent(
    credentials: Credentials, wire: tuple[str, str] | None
) -> None:
    """One credential goes over the wire: the device token before the secret before the code."""
    assert credentials.for_wire() == wire


@pytest.mark.parametrize(
    ("credentials", "rest"),
    [
        pytest.param(Credentials(), None, id="none"),
        pytest.param(Credentials(secret="s"), None, id="no device token"),
        pytest.param(Credentials(device_token="d"), None, id="device token only"),
        pytest.param(
            Credentials(device_token="d", secret="s"), Credentials(secret="s"), id="secret"
        ),
        pytest.param(
            Credentials(device_token="d", bootstrap_token="b"),
            Credentials(bootstrap_token="b"),
            id="setup code",
        ),
    ],
)
def test_what_is_left_after_the_device_token_was_refused(
    credentials: Credentials, rest: Credentials | None
) -> None:
    """Only where another credential is stored there is something left to try."""
    assert credentials.without_device_token() == rest


def test_credentials_do_not_show_themselves() -> None:
    """Settings may appear in a log, secrets may not."""
    credentials = Credentials(device_token="one", secret="two", bootstrap_token="three")

    assert repr(credentials) == "Credentials()"


@pytest.mark.parametrize(
    ("token", "granted", "wanted"),
    [
        pytest.param(None, None, DEFAULT_SCOPES, id="first connect"),
        pytest.param(None, (READ,), DEFAULT_SCOPES, id="secret again"),
        pytest.param("d", None, DEFAULT_SCOPES, id="nothing known about the token"),
        pytest.param("d", (WRITE, READ, "operator.talk"), (READ, WRITE), id="fewer granted"),
        pytest.param("d", (), (), id="nothing granted"),
    ],
)
def test_a_device_token_is_used_with_the_scopes_it_was_granted(
    token: str | None, granted: tuple[str, ...] | None, wanted: tuple[str, ...]
) -> None:
    """With a device token a larger set would be refused as a whole."""
    settings = ConnectionSettings(
        url="ws://x",
        credentials=Credentials(device_token=token, secret="s"),
        identity=None,
        client_version="0.1.0",
        granted_scopes=granted,
    )

    assert settings.wanted_scopes == wanted


def test_a_hello_is_read() -> None:
    """Everything we act on has its field."""
    assert HelloOk.from_payload(HELLO) == HelloOk(
        protocol=4,
        server_version="2026.9.6",
        boot_id="boot-1",
        scopes=(READ, WRITE),
        device_token="the-device-token",
        policy=Policy(max_payload=1_000, tick_interval=15.0),
        methods=frozenset({"health", "agent"}),
    )


def test_the_hello_tells_how_the_gateway_is() -> None:
    """Nobody need ask for it at a connect."""
    update = {"currentVersion": "1", "latestVersion": "2", "channel": "beta"}
    snapshot = {
        "presence": [{"mode": "backend"}],
        "health": {"ok": True, "sessions": {"count": 4}},
        "sessionDefaults": {"modelConfigured": False},
        "updateAvailable": update,
    }
    auth = {"method": "none", "scopes": [READ]}
    hello = HelloOk.from_payload(HELLO | {"snapshot": snapshot, "auth": auth})
    assert hello.auth_method == "none"
    assert hello.is_model_configured is False
    assert hello.health == Health(sessions=4)
    assert hello.clients == 1
    assert hello.update == UpdateInfo(installed="1", latest="2", channel="beta")


def test_the_hello_of_a_real_gateway_is_read() -> None:
    """A recorded hello gives the documented limits and the scopes that were asked for."""
    hello = HelloOk.from_payload(Recording.load("hello").answer("connect"))

    assert hello.protocol == 4
    assert hello.scopes == DEFAULT_SCOPES
    assert hello.policy == Policy(max_payload=26_214_400, tick_interval=30.0)
    assert hello.boot_id
    assert hello.device_token is None
    assert "health" in hello.methods


def test_the_device_token_is_not_in_the_repr_of_a_hello() -> None:
    """A snapshot with a hello in it may be logged."""
    assert "the-device-token" not in repr(HelloOk.from_payload(HELLO))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"type": "hello"}, id="another type"),
        pytest.param({"type": None}, id="no type"),
        pytest.param({"protocol": None}, id="no protocol"),
        pytest.param({"protocol": "4"}, id="protocol as text"),
        pytest.param({"server": None}, id="no server"),
        pytest.param({"server": {"version": ""}}, id="empty version"),
        pytest.param({"server": {"version": 2026}}, id="version as number"),
    ],
)
def test_what_is_no_hello_is_a_protocol_error(changes: dict[str, Any]) -> None:
    """Without protocol and version the other side is no gateway we know."""
    with pytest.raises(ProtocolError):
        HelloOk.from_payload(HELLO | changes)


def test_a_bare_hello_grants_nothing() -> None:
    """Missing parts are no rights, no token and the known limits."""
    hello = HelloOk.from_payload(
        {"type": "hello-ok", "protocol": 4, "server": {"version": "2026.9.6"}}
    )

    assert (hello.scopes, hello.device_token, hello.boot_id) == ((), None, None)
    assert hello.methods == frozenset()
    assert hello.policy == Policy(
        max_payload=DEFAULT_MAX_PAYLOAD, tick_interval=DEFAULT_TICK_INTERVAL
    )


def test_scopes_and_methods_that_are_no_texts_are_left_out() -> None:
    """One odd entry does not cost the others."""
    hello = HelloOk.from_payload(
        HELLO | {"auth": {"scopes": [READ, 1, None]}, "features": {"methods": [[], "agent"]}}
    )

    assert hello.scopes == (READ,)
    assert hello.methods == {"agent"}


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"maxPayload": 0, "tickIntervalMs": 0},
        {"maxPayload": "1", "tickIntervalMs": None},
        {"maxPayload": -1, "tickIntervalMs": -1},
        {"maxPayload": 0.5, "tickIntervalMs": 0.0},
        {"maxPayload": True, "tickIntervalMs": [30]},
        {"attachments": 5},
        {"attachments": {"maxBytes": 0, "maxImageBytes": "many"}},
    ],
    ids=[
        "missing",
        "zero",
        "other types",
        "negative",
        "fraction",
        "odd types",
        "odd attachments",
        "odd limits of attachments",
    ],
)
def test_a_policy_of_no_use_is_the_known_one(policy: dict[str, Any]) -> None:
    """A limit of nothing would close the connection at once."""
    assert Policy.from_payload(policy) == Policy(
        max_payload=DEFAULT_MAX_PAYLOAD,
        tick_interval=DEFAULT_TICK_INTERVAL,
        attachments=AttachmentLimits(
            max_bytes=DEFAULT_ATTACHMENT_BYTES, max_image_bytes=DEFAULT_IMAGE_BYTES
        ),
    )


def test_the_limits_of_attachments_are_the_gateways() -> None:
    """Images have a limit of their own."""
    policy = Policy.from_payload({"attachments": {"maxBytes": 1_000, "maxImageBytes": 100}})

    assert policy.attachments == AttachmentLimits(max_bytes=1_000, max_image_bytes=100)


@given(JSON_OBJECTS)
def test_no_answer_to_connect_breaks_the_reader(payload: dict[str, Any]) -> None:
    """Any object is a hello or a ProtocolError."""
    try:
        HelloOk.from_payload(payload)
    except ProtocolError:
        return


@given(JSON_OBJECTS)
def test_no_field_of_a_hello_breaks_the_reader(payload: dict[str, Any]) -> None:
    """A hello with odd fields is still a hello."""
    required = {key: HELLO[key] for key in ("type", "protocol", "server")}

    assert HelloOk.from_payload(payload | required).server_version == "2026.9.6"


@pytest.mark.parametrize(
    ("agent", "info"),
    [
        pytest.param({"id": "main"}, AgentInfo(agent_id="main", name="main"), id="id only"),
        pytest.param(
            {"id": "main", "name": "Butler"}, AgentInfo(agent_id="main", name="Butler"), id="name"
        ),
        pytest.param(
            {"id": "main", "name": "Butler", "identity": {"name": "James", "emoji": "🎩"}},
            AgentInfo(agent_id="main", name="James", emoji="🎩"),
            id="identity",
        ),
        pytest.param(
            {"id": "main", "name": "", "identity": {"name": "", "emoji": ""}},
            AgentInfo(agent_id="main", name="main"),
            id="empty names",
        ),
        pytest.param(
            {"id": "main", "name": 1, "identity": []},
            AgentInfo(agent_id="main", name="main"),
            id="odd types",
        ),
    ],
)
def test_an_agent_has_the_name_people_call_it(agent: dict[str, Any], info: AgentInfo) -> None:
    """The name of the identity comes first, the id last."""
    assert AgentList.from_payload({"agents": [agent]}).agents == (info,)


@pytest.mark.parametrize(
    ("name", "read"),
    [("Molty\n  the *Lobster*", "Molty the *Lobster*"), ("x" * 300, "x" * 80), (" \n ", "main")],
    ids=["lines", "long", "blank"],
)
def test_a_name_is_one_short_line(name: str, read: str) -> None:
    """It becomes the name of a device, an option of a select and a part of sentences."""
    row = {"id": "main", "identity": {"name": name}}
    [agent] = AgentList.from_payload({"agents": [row]}).agents
    assert agent.name == read


def test_agents_without_an_id_are_left_out() -> None:
    """What cannot be asked is no agent."""
    agents = AgentList.from_payload(
        {"defaultId": "main", "agents": [None, {}, {"id": ""}, {"id": 1}, {"id": "main"}, "x"]}
    )

    assert agents == AgentList(default_id="main", agents=(AgentInfo(agent_id="main", name="main"),))


def test_the_agents_of_a_real_gateway_are_read() -> None:
    """A recorded list has the one agent of a fresh gateway."""
    agents = AgentList.from_payload(Recording.load("hello").answer("agents.list"))

    assert agents == AgentList(
        default_id="main",
        agents=(
            AgentInfo(
                agent_id="main",
                name="main",
                thinking_levels=("off",),
                thinking_default="off",
                model="demo/demo-1",
            ),
        ),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"thinkingLevels": None, "thinkingDefault": 1, "model": "demo/demo-1"},
        {"thinkingLevels": [None, {}, {"id": 1}, "low"], "model": {"primary": ["x"]}},
    ],
    ids=["odd types", "odd entries"],
)
def test_an_agent_without_readable_levels_has_none(fields: dict[str, Any]) -> None:
    """What cannot be read is not offered."""
    agents = AgentList.from_payload({"agents": [{"id": "main"} | fields]})

    assert agents.agents == (AgentInfo(agent_id="main", name="main"),)


@pytest.mark.parametrize(
    ("row", "model"),
    [
        pytest.param(
            {
                "provider": "demo",
                "id": "demo-1",
                "name": "Demo",
                "available": False,
                "thinkingLevels": [{"id": "low", "label": "Low"}],
            },
            ModelInfo(
                reference="demo/demo-1", name="Demo", is_available=False, thinking_levels=("low",)
            ),
            id="whole",
        ),
        pytest.param(
            {"provider": "demo", "id": "demo-1", "available": None},
            ModelInfo(reference="demo/demo-1", name="demo/demo-1"),
            id="bare",
        ),
        pytest.param({"id": "demo-1"}, None, id="no provider"),
        pytest.param({"provider": "demo", "id": ""}, None, id="no id"),
    ],
)
def test_a_model_is_known_by_provider_and_id(row: dict[str, Any], model: ModelInfo | None) -> None:
    """One without either cannot be chosen."""
    assert ModelInfo.from_payload(row) == model


@given(JSON_OBJECTS)
def test_no_list_of_agents_breaks_the_reader(payload: dict[str, Any]) -> None:
    """Any object is a list of agents, if an empty one."""
    assert all(agent.agent_id for agent in AgentList.from_payload(payload).agents)


def test_names_of_agents_are_whole_characters() -> None:
    """Home Assistant stores them, and cannot store half of one."""
    agents = AgentList.from_payload({"agents": [{"id": "main", "name": "Claw \ud83e"}]})
    assert agents.agents[0].name == "Claw"

"""Setting a gateway up: every fault is told apart, and each can be got over."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import ssl
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway, drop
from tests.fakes.refusals import (
    PairingRequest,
    Refusal,
    device_refused,
    missing_scope,
    pairing_required,
    protocol_mismatch,
    rate_limited,
    still_starting,
    token_mismatch,
)

from .support import GATEWAY_ID, SECRET, introduce, make_entry

pytestmark = pytest.mark.usefixtures("home")


async def begin(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the form."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert not result["errors"]
    return result


async def submit(
    hass: HomeAssistant, form: ConfigFlowResult, url: str, token: str = SECRET
) -> ConfigFlowResult:
    """Fill in the form."""
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"url": url, "token": token}
    )
    await hass.async_block_till_done()
    return result


def suggested(form: ConfigFlowResult) -> dict[str, Any]:
    """Return what the form is filled in with."""
    schema = form["data_schema"]
    assert schema is not None
    return {
        str(key): key.description["suggested_value"]
        for key in schema.schema
        if key.description and "suggested_value" in key.description
    }


@pytest.mark.parametrize(
    "typed",
    ["ws://127.0.0.1:{port}", "127.0.0.1:{port}", " http://127.0.0.1:{port}/?token=x#token=y "],
)
async def test_a_gateway_with_one_agent_is_added_at_once(
    hass: HomeAssistant, friendly: ScriptedGateway, typed: str
) -> None:
    """The entry is of this gateway, with its only agent, ready to answer."""
    result = await submit(hass, await begin(hass), typed.format(port=friendly.port), f" {SECRET} ")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "OpenClaw (127.0.0.1)"
    assert result["data"].keys() == {"url", "token", "private_key"}
    assert result["data"]["url"] == friendly.url
    assert result["data"]["token"] == SECRET
    entry = result["result"]
    assert entry.unique_id == GATEWAY_ID
    [subentry] = entry.subentries.values()
    assert (subentry.subentry_type, subentry.unique_id, subentry.title) == ("agent", "main", "main")
    assert hass.states.get("conversation.main") is not None
    keys = {client.connect_params["device"]["id"] for client in friendly.clients}
    assert len(keys) == 1, "the entry must keep the key of the flow"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that can be wrong, and how it is put right."""

    error: str
    arrange: Callable[[ScriptedGateway], Awaitable[None] | None] = lambda _: None
    repair: Callable[[ScriptedGateway], Awaitable[None] | None] = lambda _: None
    field: str = "base"
    url: str = "{url}"
    placeholders: dict[str, str] | None = None


def refused(refusal: Refusal, method: str = "connect") -> Callable[[ScriptedGateway], None]:
    """Let the next request of a method be refused."""
    return lambda gateway: gateway.script(Expect(method, reply=refusal))


def unknown(detail_code: str) -> Refusal:
    """Return a refusal with a code of its own."""
    return Refusal(message="unauthorized", details={"code": detail_code})


PAIRING = PairingRequest(request_id="r-1", device_id="d", scopes=("operator.read",))

FAULTS = {
    "scheme": Fault(error="invalid_address", field="url", url="ftp://127.0.0.1"),
    "no host": Fault(error="invalid_address", field="url", url="ws://"),
    "user in the address": Fault(error="invalid_address", field="url", url="ws://a:b@127.0.0.1"),
    "gateway away": Fault(
        error="cannot_connect", arrange=ScriptedGateway.stop, repair=ScriptedGateway.start
    ),
    "gateway stops": Fault(
        error="cannot_connect", arrange=lambda g: g.refuse_upgrade(503, times=1)
    ),
    "gateway starts": Fault(error="cannot_connect", arrange=refused(still_starting())),
    "no TLS there": Fault(error="cannot_connect", url="wss://127.0.0.1:{port}"),
    "another server": Fault(
        error="not_a_gateway",
        arrange=ScriptedGateway.answer_garbage,
        repair=ScriptedGateway.accept,
    ),
    "a web server": Fault(error="not_a_gateway", arrange=lambda g: g.refuse_upgrade(404, times=1)),
    "a proxy": Fault(
        error="proxy_refused",
        arrange=lambda g: g.refuse_upgrade(403, times=1),
        placeholders={"status": "403"},
    ),
    "strange challenge": Fault(
        error="protocol",
        arrange=ScriptedGateway.challenge_without_nonce,
        repair=ScriptedGateway.accept,
    ),
    "wrong secret": Fault(error="invalid_auth", arrange=refused(token_mismatch())),
    "no scopes": Fault(
        error="missing_rights",
        arrange=lambda g: g.script(Expect("connect", reply=hello_ok(scopes=()))),
        placeholders={"missing": "operator.read, operator.write"},
    ),
    "not approved": Fault(
        error="pairing_required",
        arrange=refused(pairing_required(PAIRING)),
        placeholders={"command": "openclaw devices approve r-1"},
    ),
    "locked out": Fault(
        error="rate_limited",
        arrange=refused(rate_limited(150_000)),
        placeholders={"minutes": "3"},
    ),
    "locked out for an unknown time": Fault(
        error="rate_limited", arrange=refused(rate_limited(None)), placeholders={"minutes": "5"}
    ),
    "other version": Fault(error="unsupported_version", arrange=refused(protocol_mismatch())),
    "unknown refusal": Fault(error="handshake_refused", arrange=refused(unknown("BRAND_NEW"))),
    "no token set": Fault(
        error="gateway_misconfigured", arrange=refused(unknown("AUTH_TOKEN_NOT_CONFIGURED"))
    ),
    "clocks differ": Fault(
        error="signature_rejected",
        arrange=refused(device_refused("DEVICE_AUTH_SIGNATURE_EXPIRED", "expired", "stale")),
    ),
    "id refused": Fault(
        error="request_refused",
        arrange=refused(missing_scope("operator.read"), "gateway.identity.get"),
    ),
    "lost on the way": Fault(
        error="connection_lost",
        arrange=lambda g: g.script(Expect("agents.list", emit=[drop()])),
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_fault_is_told_apart_and_got_over(
    hass: HomeAssistant, friendly: ScriptedGateway, fault: Fault
) -> None:
    """The form comes back with what was typed, without the secret, and the next try succeeds."""
    form = await begin(hass)
    await do(fault.arrange, friendly)
    typed = fault.url.format(url=friendly.url, port=friendly.port)
    form = await submit(hass, form, typed)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {fault.field: fault.error}
    assert form["description_placeholders"] == (fault.placeholders or {})
    assert suggested(form) == {"url": typed}
    await do(fault.repair, friendly)
    result = await submit(hass, form, friendly.url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def do(
    action: Callable[[ScriptedGateway], Awaitable[None] | None], gateway: ScriptedGateway
) -> None:
    """Do something to a gateway, whether it takes time or not."""
    done = action(gateway)
    if done is not None:
        await done


async def test_an_approved_device_keeps_its_own_token_and_forgets_the_secret(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The same key asks again after the approval; from then on its device token is used."""
    approved = hello_ok(device_token="made-up-device-token")
    friendly.script(
        Expect("connect", reply=pairing_required(PAIRING)),
        Expect("connect", params=has_auth("token"), reply=approved),
        Expect("connect", params=has_auth("deviceToken"), reply=approved),
    )
    form = await submit(hass, await begin(hass), friendly.url)
    result = await submit(hass, form, friendly.url)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"].keys() == {"url", "private_key", "device_token", "scopes"}
    assert result["data"]["device_token"] == "made-up-device-token"
    assert SECRET not in str(result["data"])
    keys = {request.params["device"]["id"] for request in friendly.received("connect")}
    assert len(keys) == 1


def has_auth(field: str) -> Callable[[dict[str, Any]], bool]:
    """Return whether a connect shows one kind of credential."""
    return lambda params: list(params["auth"]) == [field]


async def test_agents_are_chosen_when_there_are_several(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """The default agent is preselected; those chosen become subentries, in the gateway's order."""
    introduce(gateway, "cook", "main", "poet", names={"poet": "Poet"})
    form = await submit(hass, await begin(hass), gateway.url)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "agents"
    assert form["data_schema"] is not None
    [field] = form["data_schema"].schema
    assert field.default() == ["main"]
    options = form["data_schema"].schema[field].config["options"]
    assert [(option["value"], option["label"]) for option in options] == [
        ("cook", "cook"),
        ("main", "main"),
        ("poet", "Poet (poet)"),
    ]

    form = await hass.config_entries.flow.async_configure(form["flow_id"], {"agents": []})
    assert form["errors"] == {"agents": "no_agent_chosen"}

    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"agents": ["poet", "cook"]}
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentries = result["result"].subentries.values()
    assert [(subentry.unique_id, subentry.title) for subentry in subentries] == [
        ("cook", "cook"),
        ("poet", "Poet"),
    ]
    assert sorted(hass.states.async_entity_ids("conversation")) == [
        "conversation.cook",
        "conversation.home_assistant",
        "conversation.poet",
    ]


async def test_nothing_is_preselected_without_a_default_agent(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """A default the gateway does not list cannot be chosen."""
    introduce(gateway, "cook", "poet", default="main")
    form = await submit(hass, await begin(hass), gateway.url)
    assert form["data_schema"] is not None
    [field] = form["data_schema"].schema
    assert field.default() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_same_gateway_is_not_added_twice(
    hass: HomeAssistant, friendly: ScriptedGateway, host: str
) -> None:
    """The gateway's own id tells, whatever its address."""
    make_entry(hass, friendly)
    result = await submit(hass, await begin(hass), f"{host}:{friendly.port}")
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_a_second_flow_for_the_same_gateway_is_refused(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Two people cannot set the same gateway up at the same time."""
    introduce(gateway, "cook", "main")
    await submit(hass, await begin(hass), gateway.url)
    result = await submit(hass, await begin(hass), gateway.url)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_in_progress"


async def test_another_gateway_is_added_beside_the_first(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Two gateways are two entries."""
    make_entry(hass, friendly, gateway_id="cd" * 32)
    result = await submit(hass, await begin(hass), friendly.url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("socket_enabled", "refused_handshakes")
async def test_a_gateway_with_tls_is_verified(
    hass: HomeAssistant, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """An unknown certificate is refused; one that Home Assistant trusts is not."""
    server_side, client_side = tls
    async with ScriptedGateway(ssl_context=server_side) as gateway:
        introduce(gateway)
        form = await submit(hass, await begin(hass), gateway.url)
        assert form["errors"] == {"base": "untrusted_certificate"}
        with patch(
            "custom_components.openclaw_voice.entry_data.get_default_context",
            return_value=client_side,
        ):
            result = await submit(hass, form, f"https://127.0.0.1:{gateway.port}")
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"]["url"] == gateway.url
        assert await hass.config_entries.async_unload(result["result"].entry_id)

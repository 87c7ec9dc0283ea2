"""Setting a gateway up: every fault is told apart, and each can be got over."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway, drop
from tests.fakes.refusals import (
    Refusal,
    device_refused,
    missing_scope,
    protocol_mismatch,
    rate_limited,
    still_starting,
    token_mismatch,
    token_missing,
)

from .flow import begin, close, expect_form, fill_in, look, submit, suggested
from .support import GATEWAY_ID, SECRET, introduce, make_entry

FLOW = "custom_components.openclaw_voice.connect_flow"

pytestmark = pytest.mark.usefixtures("home")


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


FAULTS = {
    "scheme": Fault(error="invalid_address", field="url", url="ftp://127.0.0.1"),
    "no host": Fault(error="invalid_address", field="url", url="ws://"),
    "gateway away": Fault(
        error="cannot_connect", arrange=ScriptedGateway.stop, repair=ScriptedGateway.start
    ),
    "gateway stops": Fault(
        error="gateway_starting", arrange=lambda g: g.refuse_upgrade(503, times=1)
    ),
    "proxy without a gateway": Fault(
        error="cannot_connect", arrange=lambda g: g.refuse_upgrade(502, times=1)
    ),
    "gateway starts": Fault(error="gateway_starting", arrange=refused(still_starting())),
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


HEALTH = {"ok": True, "status": "live"}


@pytest.mark.parametrize(
    ("scheme", "page", "status", "error"),
    [
        ("ws", "https", None, "use_tls"),
        ("ws", "http", 404, "no_websocket"),
        ("ws", "http", 403, "proxy_refused"),
        ("ws", "https", 403, "proxy_refused"),
        ("wss", "http", None, "use_no_tls"),
    ],
)
async def test_the_health_page_tells_what_the_websocket_does_not(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    aioclient_mock: AiohttpClientMocker,
    *,
    scheme: str,
    page: str,
    status: int | None,
    error: str,
) -> None:
    """A gateway that is there, but is not reached in this way, is not called another program."""
    if status is None:
        friendly.answer_garbage()
    else:
        friendly.refuse_upgrade(status)
    # A path that was meant for TLS stays out of plain text.
    path = "" if scheme == "wss" else "/proxied"
    aioclient_mock.get(f"{page}://127.0.0.1:{friendly.port}{path}/healthz", json=HEALTH)
    aioclient_mock.get(
        f"{'http' if page == 'https' else 'https'}://127.0.0.1:{friendly.port}/proxied/healthz",
        status=404,
    )
    typed = f"{scheme}://127.0.0.1:{friendly.port}/proxied"
    form = await submit(hass, await begin(hass), typed)
    expect_form(form, "user", base=error)
    friendly.accept()
    result = await submit(hass, form, friendly.url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("body", ["<html>", "[]", '{"status": "starting"}'])
async def test_another_page_is_not_taken_for_the_one_of_a_gateway(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    aioclient_mock: AiohttpClientMocker,
    body: str,
) -> None:
    """Any web server answers something."""
    friendly.refuse_upgrade(404)
    for scheme in ("http", "https"):
        aioclient_mock.get(f"{scheme}://127.0.0.1:{friendly.port}/healthz", text=body)
    expect_form(await submit(hass, await begin(hass), friendly.url), "user", base="not_a_gateway")


async def test_a_token_in_a_pasted_link_is_not_suggested_back(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """People copy the address of the web interface, and a secret may be in it."""
    friendly.script(Expect("connect", reply=token_mismatch()))
    pasted = f"http://127.0.0.1:{friendly.port}/?token=made-up-token#token=made-up-token"
    form = await submit(hass, await begin(hass), pasted)
    expect_form(form, "user", base="invalid_auth")
    assert suggested(form) == {"url": f"http://127.0.0.1:{friendly.port}/"}


async def test_a_gateway_of_this_host_needs_no_secret(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Without authentication there is nothing to enter, and nothing to confirm on the same host."""
    friendly.script(*[Expect("connect", params=has_no_auth, reply=hello_ok()) for _ in range(2)])
    result = await submit(hass, await begin(hass), friendly.url, token="")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"].keys() == {"url", "private_key"}


async def test_an_open_gateway_of_another_host_is_confirmed(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Everybody in its network gets in: that may not be what its owner wants."""
    with patch(f"{FLOW}.async_is_this_host", return_value=False):
        form = await submit(hass, await begin(hass), friendly.url, token="")
        expect_form(form, "no_secret")
        assert form["description_placeholders"] == {"host": "127.0.0.1"}
        expect_form(await look(hass, form), "no_secret")
        result = await fill_in(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_gateway_that_wants_a_secret_asks_for_it(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The field may be left empty, so it is no wrong secret."""
    friendly.script(Expect("connect", reply=token_missing()))
    form = await submit(hass, await begin(hass), friendly.url, token="")
    expect_form(form, "user", base="token_needed")
    assert suggested(form) == {"url": friendly.url}
    result = await submit(hass, form, friendly.url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_plain_text_through_the_internet_is_confirmed_before_anything_is_sent(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The secret would be readable on its way. Who confirms it is not asked again."""
    friendly.script(Expect("connect", reply=token_mismatch()))
    with patch(f"{FLOW}.async_is_exposed", return_value=True):
        form = await submit(hass, await begin(hass), friendly.url)
        expect_form(form, "plain_text")
        assert friendly.connections.total == 0
        expect_form(await look(hass, form), "plain_text")
        form = await fill_in(hass, form)
        expect_form(form, "user", base="invalid_auth")
        result = await submit(hass, form, friendly.url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_form_can_be_left(hass: HomeAssistant, gateway: ScriptedGateway) -> None:
    """Whoever closes the dialog begins anew."""
    introduce(gateway, "cook", "main")
    form = await submit(hass, await begin(hass), gateway.url)
    expect_form(form, "agents")
    close(hass, form)
    form = await submit(hass, await begin(hass), gateway.url)
    result = await fill_in(hass, form, agents=["cook"])
    assert result["type"] is FlowResultType.CREATE_ENTRY


def has_no_auth(params: dict[str, Any]) -> bool:
    """Return whether a connect shows no credential at all."""
    return "auth" not in params


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ws://me:a-secret@127.0.0.1:18789", {}),
        ("http://127.0.0.1:99999/#token=a-secret", {"url": "http://127.0.0.1:99999/"}),
    ],
)
async def test_a_secret_in_a_wrong_address_is_not_shown_again(
    hass: HomeAssistant, typed: str, kept: dict[str, str]
) -> None:
    """People paste what a browser shows them."""
    form = await submit(hass, await begin(hass), typed)
    expect_form(form, "user", url="invalid_address")
    assert suggested(form) == kept

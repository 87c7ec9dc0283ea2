"""What a user hands over when something does not work: enough to help, and nothing secret."""

import asyncio
import json
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.matchers import path_type

from custom_components.openclaw_voice.const import (
    CONF_CERTIFICATE_PIN,
    CONF_DEVICE_TOKEN,
    CONF_PRIVATE_KEY,
    CONF_SCOPES,
    DOMAIN,
)
from custom_components.openclaw_voice.diagnostics import _address, _error
from custom_components.openclaw_voice.gateway.errors import (
    CannotConnectError,
    MissingRightsError,
    RequestError,
)
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from tests.fakes.frames import (
    accepted,
    failed as told_failed,
    hello_ok,
    response_failed,
    said,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, raw
from tests.fakes.refusals import PairingRequest, pairing_required, token_mismatch

from .connection import in_state, lose, reconnect
from .support import (
    GATEWAY_ID,
    WAIT_LIMIT,
    add_entry,
    agent_subentry,
    ask,
    make_entry,
    state_change,
)
from .test_setup import ABORT

pytestmark = pytest.mark.usefixtures("home")

SECRET = "planted-shared-secret"
TOKEN = "planted-device-token"
PATH = "planted-path"
PIN = "fa" * 32
QUESTION = "planted question"
ANSWER = "planted answer"
AGENT_NAME = "planted-agent"
IDENTITY = DeviceIdentity.create()
SCOPES = ("operator.read", "operator.write")
PLANTED = (
    SECRET,
    TOKEN,
    PATH,
    PIN,
    QUESTION,
    ANSWER,
    AGENT_NAME,
    GATEWAY_ID,
    IDENTITY.private_key,
    IDENTITY.device_id,
    "127.0.0.1",
    "planted-request-id",
    "planted-unknown-field",
)
VOLATILE = path_type(
    {
        r".*\.(at|connected_since|missing_since)": (str,),
        r".*\.is_complete": (bool,),
        r".*\.day": (dict,),
        r".*\.port": (int,),
        r".*\.home_assistant": (str,),
    },
    regex=True,
    replacer=lambda value, _: f"<{type(value).__name__}>",
)


async def download(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    entry: MockConfigEntry,
    device_id: str | None = None,
) -> dict[str, Any]:
    """Download diagnostics as the frontend does, and check that nothing planted is in them."""
    assert await async_setup_component(hass, "diagnostics", {})
    client = await hass_client()
    url = f"/api/diagnostics/config_entry/{entry.entry_id}"
    response = await client.get(url if device_id is None else f"{url}/device/{device_id}")
    assert response.status == 200
    data: dict[str, Any] = (await response.json())["data"]
    text = json.dumps(data)
    for planted in PLANTED:
        assert planted not in text
    return data


async def add_planted_entry(hass: HomeAssistant, gateway: ScriptedGateway) -> MockConfigEntry:
    """Return a connected entry full of secrets."""
    gateway.script(Expect("connect", reply=hello_ok(scopes=SCOPES, device_token=TOKEN)))
    return await add_entry(
        hass,
        gateway,
        AGENT_NAME,
        **{
            CONF_URL: f"{gateway.url}/{PATH}",
            CONF_PRIVATE_KEY: IDENTITY.private_key,
            CONF_TOKEN: SECRET,
        },
    )


async def test_an_entry_that_has_seen_something(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    hass_client: ClientSessionGenerator,
    snapshot: SnapshotAssertion,
) -> None:
    """A run, a frame nobody understands, a loss, a request for approval, a return."""
    entry = await add_planted_entry(hass, friendly)
    pairing = PairingRequest(request_id="planted-request-id", device_id="d", scopes=SCOPES)
    await reconnect(hass, friendly, entry, pairing_required(pairing), "pairing")
    async with state_change(hass, in_state("ready")):
        entry.runtime_data.client.retry_now()
    friendly.script(
        Expect(
            "agent", reply=accepted(), emit=[raw("planted-unknown-field"), started(), said(ANSWER)]
        ),
        ABORT,
    )
    turn = hass.async_create_background_task(
        ask(hass, QUESTION, agent="conversation.planted_agent"), "turn"
    )
    await friendly.wait_for_request("agent")
    await friendly.played()
    data = await download(hass, hass_client, entry)
    assert data["client"]["live_runs"] == 1
    assert data == snapshot(matcher=VOLATILE)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await turn


async def test_an_entry_without_its_gateway(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """When diagnostics are wanted most."""
    entry = await add_planted_entry(hass, friendly)
    await lose(hass, friendly)
    client = (await download(hass, hass_client, entry))["client"]
    assert client["snapshot"]["state"] == "retry_wait"
    assert client["snapshot"]["error"] == {"category": "connection_lost", "code": 1006}
    assert client["snapshot"]["retry_at"]
    assert [happening["state"] for happening in client["journal"]] == [
        "connecting",
        "ready",
        "retry_wait",
    ]
    assert client["journal"][-1] == {
        "at": client["journal"][-1]["at"],
        "state": "retry_wait",
        "category": "connection_lost",
        "code": 1006,
    }


async def test_an_entry_that_could_not_be_set_up(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """The reason and the attempt are there."""
    friendly.script(Expect("connect", reply=token_mismatch()))
    entry = make_entry(hass, friendly, **{CONF_TOKEN: SECRET, "future": "planted-unknown-field"})
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    data = await download(hass, hass_client, entry)
    assert data["entry"]["state"] == "setup_error"
    assert data["entry"]["reason"] == "invalid_auth"
    assert data["entry"]["data"]["future"] == REDACTED
    assert data["client"]["snapshot"]["gateway"] is None
    assert {"state": "refused", "category": "invalid_auth"}.items() <= data["client"]["journal"][
        1
    ].items()


async def test_an_entry_that_was_never_set_up(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """A disabled one, for instance."""
    await add_entry(hass, friendly)
    entry = MockConfigEntry(
        domain=DOMAIN,
        data={
            CONF_URL: f"wss://planted-path.example/{PATH}",
            CONF_CERTIFICATE_PIN: PIN,
            CONF_DEVICE_TOKEN: TOKEN,
            CONF_SCOPES: [*SCOPES],
        },
        subentries_data=[agent_subentry(AGENT_NAME)],
    )
    entry.add_to_hass(hass)
    data = await download(hass, hass_client, entry)
    assert data["client"] is None
    assert data["entry"]["agents"] == 1
    assert data["entry"]["data"][CONF_SCOPES] == [*SCOPES]
    assert data["address"] == {"scheme": "wss", "host": "name", "port": None, "has_path": True}


async def test_devices(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
) -> None:
    """From the page of the gateway or of an agent comes the same, and which one it was."""
    entry = await add_planted_entry(hass, friendly)
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    whole = await download(hass, hass_client, entry)
    seen = {}
    for device in devices:
        data = await download(hass, hass_client, entry, device.id)
        seen[data["device"]["model"]] = data
        assert data.items() >= whole.items()
    assert seen.keys() == {"Gateway", "Agent"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("ws://127.0.0.1:18789", "loopback"),
        ("ws://[::1]:18789", "loopback"),
        ("ws://192.168.1.2:18789", "private"),
        ("wss://8.8.8.8", "public"),
        ("wss://gateway.example", "name"),
    ],
)
def test_an_address_is_told_by_its_kind(url: str, kind: str) -> None:
    """Neither the host nor the path leaves the house."""
    assert _address(url)["host"] == kind


def test_facts_of_an_error_are_told_but_not_its_text() -> None:
    """A text may hold what a gateway or a proxy put into it."""
    assert _error(CannotConnectError(SECRET, status=503, retry_after=1.5)) == {
        "category": "cannot_connect",
        "status": 503,
        "retry_after": 1.5,
    }
    assert _error(MissingRightsError(SECRET, missing=("operator.write",))) == {
        "category": "missing_rights",
        "missing": ("operator.write",),
    }
    assert _error(RequestError("token=abc", SECRET)) == {
        "category": "request_refused",
        "code": "token=***",
    }


async def test_agents_and_what_they_owe(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """How they are set up and how many answers are open; nothing that people wrote or said."""
    options = {
        "scope": "satellite",
        "instructions": QUESTION,
        "holding_phrases": [QUESTION, ANSWER],
        "fallback": ["assist_satellite.planted_path", "notify.planted_path"],
        "thinking": "high",
        "patience": 5.0,
    }
    entry = make_entry(hass, friendly, AGENT_NAME, options={AGENT_NAME: options})
    await hass.config_entries.async_setup(entry.entry_id)
    hass.states.async_set("assist_satellite.planted_path", "idle")
    agent = {"agent": "conversation.planted_agent"}
    emit = [started(), told_failed("No.", kind="refusal"), response_failed()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))
    ended = asyncio.Event()
    hass.bus.async_listen_once("openclaw_voice_late_answer", callback(lambda _: ended.set()))
    for action, data in (
        ("ask", {"message": QUESTION, "wait": False, "session": QUESTION}),
        ("new_conversation", {"session": QUESTION}),
        ("new_conversation", {"satellite": "assist_satellite.planted_path"}),
    ):
        await hass.services.async_call(DOMAIN, action, agent | data, blocking=True)
    entry.runtime_data.memory.choose_agent("assist_satellite.planted_path", "subentry-main")
    async with asyncio.timeout(WAIT_LIMIT):
        await ended.wait()

    data = await download(hass, hass_client, entry)

    [shown] = data["agents"]
    assert shown["turns"] == 1
    assert shown["open_turns"] == 0
    assert shown["is_vanished"] is True
    assert shown["options"]["scope"] == "satellite"
    assert shown["options"]["instructions"] == len(QUESTION)
    assert shown["options"]["holding_phrases"] == 2
    assert shown["options"]["fallback"] == ["assist_satellite", "notify"]
    assert shown["options"]["thinking"] == "high"
    assert shown["options"]["model"] is None
    assert data["late_answers"] == {
        "statuses": {"delivered": 1},
        "errors": {"run_failed": 1},
        "unannounced": 1,
    }
    sessions = data["memory"]["sessions"]
    assert {kind: count for kind, count in sessions.items() if count} == {
        "satellite": 1,
        "shared": 1,
    }
    assert data["memory"]["satellites"] == 1

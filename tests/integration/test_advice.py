"""What people had better change about a gateway that works."""

import asyncio
from http import HTTPStatus
from typing import Any

from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice import advice, agents
from custom_components.openclaw_voice.assist.options import AgentOptions, RealtimeBackend
from custom_components.openclaw_voice.const import CONF_DEVICE_TOKEN, CONF_SCOPES, DOMAIN
from custom_components.openclaw_voice.gateway.state import ClientState
from custom_components.openclaw_voice.issues import NO_MODEL, OPEN_GATEWAY, REALTIME, SECRET_KEPT
from custom_components.openclaw_voice.repairs import ForgetSecretFlow, async_create_fix_flow
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal

from .connection import lose, reconnect
from .support import SECRET, add_entry, introduce

pytestmark = pytest.mark.usefixtures("home")

SCOPES = ("operator.read", "operator.write")
TOKEN = "made-up-device-token"


def advised(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the advice that is given, by its kind."""
    return {
        str(issue.translation_key): issue
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN
    }


def without_model() -> dict[str, Any]:
    """Return the hello of a gateway whose default agent has no model."""
    hello = hello_ok(scopes=SCOPES)
    hello["snapshot"]["sessionDefaults"]["modelConfigured"] = False
    return hello


async def settle(hass: HomeAssistant) -> None:
    """Wait until all that was asked so far is answered."""
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        if entry.runtime_data.snapshot.state is ClientState.READY:
            await entry.runtime_data.client.request("models.list")
    await hass.async_block_till_done()


async def test_a_gateway_that_is_set_up_well_needs_no_advice(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A shared secret is all there is on the gateway's own host."""
    await add_entry(hass, friendly)
    await settle(hass)
    assert advised(hass) == {}


async def test_a_gateway_without_a_model_is_told_until_it_has_one(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It stays while the gateway is away, and goes with the next hello."""
    friendly.script(Expect("connect", reply=without_model()))
    entry = await add_entry(hass, friendly)
    await settle(hass)
    issue = advised(hass)[NO_MODEL]
    assert issue.severity is ir.IssueSeverity.WARNING
    assert not issue.is_fixable
    assert issue.translation_placeholders == {"gateway": entry.title}
    await reconnect(hass, friendly, entry, hello_ok(scopes=SCOPES), "ready")
    await settle(hass)
    assert advised(hass) == {}


async def test_a_model_that_was_set_up_meanwhile_counts(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is asked when the configuration changes: a gateway without any names one all the same."""
    friendly.script(Expect("connect", reply=without_model()))
    introduce(friendly, details={"main": {"model": {"primary": "openai/gpt-6-astra"}}})
    entry = await add_entry(hass, friendly)
    await settle(hass)
    assert advised(hass).keys() == {NO_MODEL}
    friendly.anytime(Expect("models.list", reply=Refusal(message="no")))
    before = len(friendly.received("models.list"))
    await entry.runtime_data.directory.async_read_now()
    await friendly.wait_for_request("models.list", number=before + 1)
    await entry.runtime_data.client.request("agents.list")
    await hass.async_block_till_done()
    assert advised(hass).keys() == {NO_MODEL}
    introduce(friendly, models=[{"provider": "demo", "id": "demo-1", "name": "Demo"}])
    await entry.runtime_data.directory.async_read_now()
    await settle(hass)
    assert advised(hass) == {}
    assert agents.SETTLING > 0


@pytest.mark.parametrize(("is_here", "kinds"), [(True, set()), (False, {OPEN_GATEWAY})])
async def test_a_gateway_that_asks_nobody_is_told_unless_it_is_on_this_host(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_here: bool,
    kinds: set[str],
) -> None:
    """Whoever reaches it can use the agents."""

    async def answer(*_: object) -> bool:
        return is_here

    monkeypatch.setattr(advice, "async_is_this_host", answer)
    friendly.script(Expect("connect", reply=hello_ok(scopes=SCOPES, auth_method="none")))
    entry = await add_entry(hass, friendly)
    await settle(hass)
    assert advised(hass).keys() == kinds
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert advised(hass) == {}


async def test_a_look_up_that_takes_long_is_not_about_what_is_now(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has got a password meanwhile."""
    may_answer = asyncio.Event()

    async def answer(*_: object) -> bool:
        await may_answer.wait()
        return False

    monkeypatch.setattr(advice, "async_is_this_host", answer)
    friendly.script(Expect("connect", reply=hello_ok(scopes=SCOPES, auth_method="none")))
    entry = await add_entry(hass, friendly)
    await settle(hass)
    await reconnect(hass, friendly, entry, hello_ok(scopes=SCOPES), "ready")
    await settle(hass)
    may_answer.set()
    await settle(hass)
    assert advised(hass) == {}


async def two_secrets(hass: HomeAssistant, gateway: ScriptedGateway) -> MockConfigEntry:
    """Return an entry with a shared secret that comes in with a device token."""
    gateway.script(Expect("connect", reply=hello_ok(scopes=SCOPES, auth_method="device-token")))
    entry = await add_entry(
        hass, gateway, **{CONF_DEVICE_TOKEN: TOKEN, CONF_SCOPES: [*SCOPES], CONF_TOKEN: SECRET}
    )
    await settle(hass)
    return entry


async def fix(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, issue_id: str
) -> dict[str, Any]:
    """Go through the flow of an issue as the frontend does."""
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()
    response = await client.post(
        "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue_id}
    )
    assert response.status == HTTPStatus.OK
    flow = await response.json()
    assert flow["step_id"] == "confirm"
    response = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    assert response.status == HTTPStatus.OK
    result: dict[str, Any] = await response.json()
    return result


async def test_a_secret_that_is_not_needed_can_be_forgotten(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """The connection stays, and so does the token of our own."""
    entry = await two_secrets(hass, friendly)
    issue = advised(hass)[SECRET_KEPT]
    assert issue.is_fixable
    result = await fix(hass, hass_client, issue.issue_id)
    assert result["type"] == "create_entry"
    await settle(hass)
    assert CONF_TOKEN not in entry.data
    assert entry.data[CONF_DEVICE_TOKEN] == TOKEN
    assert advised(hass) == {}
    assert friendly.connections.total == 1


async def test_a_secret_that_became_the_only_one_stays(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_client: ClientSessionGenerator
) -> None:
    """The token of our own was dropped while people read the issue."""
    entry = await two_secrets(hass, friendly)
    issue_id = advised(hass)[SECRET_KEPT].issue_id
    await lose(hass, friendly)
    data = {key: value for key, value in entry.data.items() if key != CONF_DEVICE_TOKEN}
    hass.config_entries.async_update_entry(entry, data=data)
    await fix(hass, hass_client, issue_id)
    assert entry.data[CONF_TOKEN] == SECRET


async def test_a_secret_of_a_gateway_that_is_not_set_up_now_stays(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nobody knows then what opens its door."""
    entry = await two_secrets(hass, friendly)
    flow = await async_create_fix_flow(hass, SECRET_KEPT, {"entry_id": entry.entry_id})
    flow.hass = hass
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert isinstance(flow, ForgetSecretFlow)
    await flow.async_step_confirm({})
    assert entry.data[CONF_TOKEN] == SECRET


async def test_a_secret_that_lets_home_assistant_in_is_needed(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway has refused the token of our own."""
    await add_entry(
        hass, friendly, **{CONF_DEVICE_TOKEN: TOKEN, CONF_SCOPES: [*SCOPES], CONF_TOKEN: SECRET}
    )
    await settle(hass)
    assert advised(hass) == {}


READY = {"realtime": {"ready": True}}


async def test_missing_realtime_voice_is_told_until_it_is_set_up(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway restarts for that; as long as it does not say, nothing is known."""
    entry = await add_entry(hass, friendly)
    entry.runtime_data.issues.async_show_realtime(True)
    await reconnect(hass, friendly, entry, hello_ok(scopes=SCOPES), "ready")
    await settle(hass)
    assert advised(hass).keys() == {REALTIME}
    friendly.script(Expect("talk.catalog", reply=Refusal(code="UNAVAILABLE", message="not now")))
    entry.runtime_data.advisor.async_look()
    await settle(hass)
    assert advised(hass).keys() == {REALTIME}
    friendly.script(Expect("talk.catalog", reply=READY))
    entry.runtime_data.advisor.async_look()
    await settle(hass)
    assert advised(hass) == {}


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        (AgentOptions(realtime_backend=RealtimeBackend.ASSIST), False),
        (AgentOptions(reachable_by_realtime=False), False),
        (AgentOptions(realtime_backend=RealtimeBackend.GATEWAY), True),
    ],
    ids=["speech engines", "no satellites", "speech model"],
)
async def test_whoever_wants_no_speech_model_is_told_no_more(
    hass: HomeAssistant, friendly: ScriptedGateway, options: AgentOptions, is_told: bool
) -> None:
    """As soon as the options of the agents say so."""
    entry = await add_entry(hass, friendly)
    entry.runtime_data.issues.async_show_realtime(True)
    [agent] = entry.subentries.values()
    data = {**agent.data, **options.as_data()}
    hass.config_entries.async_update_subentry(entry, agent, data=data)
    await settle(hass)
    assert (REALTIME in advised(hass)) is is_told

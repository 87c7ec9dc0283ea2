"""What an entry keeps to be let in: the device token that replaces the shared secret."""

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.const import (
    CONF_DEVICE_TOKEN,
    CONF_PRIVATE_KEY,
    CONF_SCOPES,
    DOMAIN,
)
from tests.fakes.frames import hello_ok
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import device_token_mismatch, token_mismatch

from .connection import in_state, lose, reconnect, try_now
from .support import SECRET, add_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

TOKEN = "made-up-device-token"
GRANTED = ("operator.read", "operator.write")


def auth_of(gateway: ScriptedGateway, number: int) -> dict[str, str]:
    """Return the credential a connection was opened with; numbers count from 1."""
    auth: dict[str, str] = gateway.received("connect")[number - 1].params["auth"]
    return auth


async def test_a_device_token_replaces_the_secret_without_a_reload(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The next connection uses it, with the rights the owner has granted."""
    friendly.script(Expect("connect", reply=hello_ok(scopes=GRANTED, device_token=TOKEN)))
    entry = await add_entry(hass, friendly)
    key = entry.data[CONF_PRIVATE_KEY]
    assert entry.data == {
        CONF_URL: friendly.url,
        CONF_PRIVATE_KEY: key,
        CONF_DEVICE_TOKEN: TOKEN,
        CONF_SCOPES: list(GRANTED),
    }
    coordinator = entry.runtime_data
    again = hello_ok(scopes=GRANTED, device_token=TOKEN)
    friendly.script(Expect("connect", reply=again))
    async with state_change(hass, in_state("retry_wait")):
        await friendly.drop()
    async with state_change(hass, in_state("ready")):
        coordinator.client.warm()
    assert entry.runtime_data is coordinator
    assert auth_of(friendly, 1) == {"token": SECRET}
    assert auth_of(friendly, 2) == {"deviceToken": TOKEN}
    assert friendly.received("connect")[1].params["scopes"] == list(GRANTED)
    assert friendly.connections.total == 2


async def test_a_new_device_token_replaces_the_old_one(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway may give another one at any time."""
    entry = await add_entry(
        hass, friendly, **{CONF_TOKEN: None, CONF_DEVICE_TOKEN: "old", CONF_SCOPES: [*GRANTED]}
    )
    assert entry.data[CONF_DEVICE_TOKEN] == "old"
    await reconnect(hass, friendly, entry, hello_ok(scopes=GRANTED, device_token=TOKEN), "ready")
    await hass.async_block_till_done()
    assert entry.data[CONF_DEVICE_TOKEN] == TOKEN
    assert CONF_TOKEN not in entry.data


async def test_the_secret_stays_where_there_is_no_device_token(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """On the gateway's own host it gives none."""
    entry = await add_entry(hass, friendly)
    assert entry.data[CONF_TOKEN] == SECRET
    assert CONF_DEVICE_TOKEN not in entry.data


def reauths(hass: HomeAssistant, entry: MockConfigEntry) -> int:
    """Return how often the user is asked for new credentials."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return sum(
        flow["context"]["source"] == SOURCE_REAUTH and flow["context"]["entry_id"] == entry.entry_id
        for flow in flows
    )


@pytest.mark.parametrize("answer", [token_mismatch(), device_token_mismatch()])
async def test_a_refused_credential_asks_for_a_new_one_once(
    hass: HomeAssistant, friendly: ScriptedGateway, answer: object
) -> None:
    """However often it is tried, and no longer once the known one is accepted again."""
    entry = await add_entry(hass, friendly)
    assert reauths(hass, entry) == 0
    await reconnect(hass, friendly, entry, answer, "refused")  # type: ignore[arg-type]
    await hass.async_block_till_done()
    assert reauths(hass, entry) == 1
    friendly.script(Expect("connect", reply=answer))  # type: ignore[arg-type]
    await try_now(hass, entry, "refused")
    await hass.async_block_till_done()
    assert reauths(hass, entry) == 1
    assert entry.state is ConfigEntryState.LOADED
    await try_now(hass, entry, "ready")
    assert reauths(hass, entry) == 0


async def test_new_credentials_are_used_at_once_without_a_reload(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Re-authentication stores them; the entities stay."""
    entry = await add_entry(hass, friendly)
    await reconnect(hass, friendly, entry, token_mismatch(), "refused")
    coordinator = entry.runtime_data
    async with state_change(hass, in_state("ready")):
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_TOKEN: "another"})
    assert entry.runtime_data is coordinator
    assert auth_of(friendly, 3) == {"token": "another"}


async def test_another_address_reloads_the_entry(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway has moved, and a connection to the old address is of no use."""
    entry = await add_entry(hass, friendly)
    await lose(hass, friendly)
    coordinator = entry.runtime_data
    await friendly.start()
    url = f"{friendly.url}/behind-a-proxy"
    async with state_change(hass, in_state("ready")):
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_URL: url})
    await hass.async_block_till_done()
    assert entry.runtime_data is not coordinator
    assert entry.state is ConfigEntryState.LOADED


async def test_another_title_changes_nothing_else(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Renaming the entry is no reason to touch the connection."""
    entry = await add_entry(hass, friendly)
    hass.config_entries.async_update_entry(entry, title="Molty")
    await hass.async_block_till_done()
    assert entry.runtime_data.is_connected
    assert friendly.connections.total == 1

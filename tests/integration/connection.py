"""Following the connection of an entry through what its sensor shows."""

from collections.abc import Callable
from typing import Any, Final

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal

from .support import state_change

NAME: Final = "openclaw_127_0_0_1"
STATE: Final = f"sensor.{NAME}_connection_state"


def in_state(*states: str) -> Callable[[HomeAssistant], bool]:
    """Return what tells whether the connection is in one of these states."""

    def check(hass: HomeAssistant) -> bool:
        state = hass.states.get(STATE)
        return state is not None and state.state in states

    return check


async def lose(hass: HomeAssistant, gateway: ScriptedGateway) -> None:
    """Stop the gateway and wait until that is noticed."""
    async with state_change(hass, in_state("retry_wait")):
        await gateway.stop()


async def try_now(hass: HomeAssistant, entry: MockConfigEntry, *states: str) -> None:
    """Have the client try now, and wait until it is in one of the states."""
    async with state_change(hass, in_state(*states)):
        entry.runtime_data.client.retry_now()


async def reconnect(
    hass: HomeAssistant,
    gateway: ScriptedGateway,
    entry: MockConfigEntry,
    answer: Refusal | dict[str, Any],
    *states: str,
) -> None:
    """Cut the connection, answer the next one, wait until the client is in one of the states."""
    gateway.script(Expect("connect", reply=answer))
    async with state_change(hass, in_state("retry_wait")):
        await gateway.drop()
    await try_now(hass, entry, *states)

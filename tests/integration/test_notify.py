"""Messages to an agent."""

import asyncio

from homeassistant.components.notify import DOMAIN as NOTIFY, SERVICE_SEND_MESSAGE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest

from custom_components.openclaw_voice import notify
from custom_components.openclaw_voice.assist.run_limit import RunLimit
from tests.fakes.frames import accepted, answered, ended, response_ok, said, started
from tests.fakes.gateway import Expect, ScriptedGateway, wait_for
from tests.fakes.refusals import Refusal

from .support import add_entry

pytestmark = pytest.mark.usefixtures("home")

ENTITY = "notify.main"


async def send(hass: HomeAssistant, message: str, **fields: str) -> None:
    """Send a message as an automation does."""
    await hass.services.async_call(
        NOTIFY,
        SERVICE_SEND_MESSAGE,
        {"entity_id": ENTITY, "message": message, **fields},
        blocking=True,
    )


async def test_nobody_waits_for_what_the_agent_makes_of_a_message(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action is done when the message was not refused."""
    monkeypatch.setattr(notify, "REFUSAL_LIMIT", 0.05)
    entry = await add_entry(hass, friendly)
    goes_on = asyncio.Event()
    emit = [started(), wait_for(goes_on), said("Noted."), ended(), response_ok()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))

    await send(hass, "The washing is done.")

    [request] = friendly.received("agent")
    assert request.params["message"] == "The washing is done."
    [answer] = entry.runtime_data.outbox.all()
    assert not answer.is_announced
    goes_on.set()
    await friendly.played()


async def test_the_title_is_a_part_of_the_message(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent has no other place for it."""
    await add_entry(hass, friendly)
    emit = [started(), said("Noted."), ended(), response_ok()]
    friendly.script(Expect("agent", reply=accepted(), emit=emit))

    await send(hass, "The washing is done.", title="Laundry")

    [request] = friendly.received("agent")
    assert request.params["message"] == "Laundry\n\nThe washing is done."
    await friendly.played()


async def test_a_message_that_does_not_get_there_is_an_error(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The automation is told why."""
    await add_entry(hass, friendly)
    refusal = Refusal(message='Agent "main" no longer exists in configuration')
    friendly.script(Expect("agent", reply=refusal))

    with pytest.raises(HomeAssistantError) as caught:
        await send(hass, "The washing is done.")

    assert caught.value.translation_key == "agent_not_found"


async def test_messages_do_not_run_wild(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An automation may send one for whatever the agent made of the last."""
    limit = RunLimit(runs=1)
    monkeypatch.setattr(notify, "take_run", lambda _, now: limit.take(now))
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Noted.")))

    await send(hass, "The washing is done.")
    with pytest.raises(ServiceValidationError) as caught:
        await send(hass, "The washing is done.")

    assert caught.value.translation_key == "too_many_runs"
    assert len(friendly.received("agent")) == 1

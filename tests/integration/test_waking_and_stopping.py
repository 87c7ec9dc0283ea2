"""Stopping all that goes on for a home, and telling an agent that something has happened."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
import voluptuous as vol

from custom_components.openclaw_voice.assist.run_limit import MAX_RUNS
from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    response_aborted,
    said,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response
from tests.fakes.refusals import Refusal

from .connection import NAME, lose
from .support import AGENT, WAIT_LIMIT, add_entry

pytestmark = pytest.mark.usefixtures("home")

BUTTON = f"button.{NAME}_stop_all_runs"
TEXT = "The washing machine has finished."


async def press(hass: HomeAssistant) -> None:
    """Press the button."""
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)


async def ask(hass: HomeAssistant, **data: object) -> Any:  # noqa: ANN401  whatever it returns
    """Ask an agent by the action."""
    data = {"agent": AGENT, "message": "Tell a story."} | data
    return await hass.services.async_call(DOMAIN, "ask", data, blocking=True, return_response=True)


async def wake(hass: HomeAssistant, **data: object) -> None:
    """Wake an agent."""
    data = {"agent": AGENT, "text": TEXT} | data
    await hass.services.async_call(DOMAIN, "wake", data, blocking=True)


async def test_everything_of_ours_is_stopped(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The answer somebody waits for, and the task that goes on for later."""
    await add_entry(hass, friendly)
    begun = Expect("agent", reply=accepted(), emit=[started(), said("Well")])
    friendly.script(begun, begun)
    later = await ask(hass, wait=False, session="later")
    now = asyncio.ensure_future(ask(hass, session="now"))
    async with asyncio.timeout(WAIT_LIMIT):
        await friendly.wait_for_request("agent", number=2)
    frames = [aborted(), abort_response(), abort_settled(), response_aborted()]
    friendly.anytime(Expect("chat.abort", emit=frames))

    await press(hass)

    assert (await now)["status"] in {"answered", "silent"}
    stopped = {request.params["runId"] for request in friendly.received("chat.abort")}
    assert stopped == friendly.runs.keys()
    assert later["late_answer_id"] in stopped


async def test_nothing_to_stop_is_no_error(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Runs of others are none of ours."""
    await add_entry(hass, friendly)
    await press(hass)
    assert friendly.received("chat.abort") == []


async def test_a_stop_that_fails_is_told(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """With its sentence; people must know that it goes on."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=[started(), said("Well")]))
    await ask(hass, wait=False)
    friendly.anytime(Expect("chat.abort", reply=Refusal(message="unauthorized")))
    with pytest.raises(HomeAssistantError) as caught:
        await press(hass)
    assert caught.value.translation_key == "request_refused"


@pytest.mark.parametrize(
    ("data", "mode"),
    [({}, "now"), ({"when": "now"}, "now"), ({"when": "next_heartbeat"}, "next-heartbeat")],
    ids=str,
)
async def test_an_agent_is_woken(
    hass: HomeAssistant, friendly: ScriptedGateway, data: dict[str, str], mode: str
) -> None:
    """It is told what has happened; what it says to that comes by itself."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("wake", params={"mode": mode, "text": TEXT, "agentId": "main"}, reply={"ok": True})
    )
    await wake(hass, **data)
    assert len(friendly.received("wake")) == 1


@pytest.mark.parametrize("data", [{"text": " "}, {"when": "later"}], ids=str)
async def test_nonsense_is_refused(
    hass: HomeAssistant, friendly: ScriptedGateway, data: dict[str, str]
) -> None:
    """Before anything is sent."""
    await add_entry(hass, friendly)
    with pytest.raises(vol.Invalid):
        await wake(hass, **data)
    assert friendly.received("wake") == []


async def test_an_agent_is_not_woken_too_often(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An automation that runs wild costs money."""
    await add_entry(hass, friendly)
    friendly.anytime(Expect("wake", reply={"ok": True}))
    for _ in range(MAX_RUNS):
        await wake(hass)
    with pytest.raises(ServiceValidationError) as caught:
        await wake(hass)
    assert caught.value.translation_key == "too_many_runs"


async def test_a_gateway_that_is_away_cannot_wake(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is told, not kept for later."""
    await add_entry(hass, friendly)
    await lose(hass, friendly)
    with pytest.raises(HomeAssistantError) as caught:
        await wake(hass)
    assert caught.value.translation_key == "not_connected"

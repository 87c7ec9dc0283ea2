"""What a gateway tells reaches a phone and Home Assistant, through all that lies between."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from homeassistant.components.persistent_notification import (
    Notification as Shown,
    UpdateType,
    async_register_callback,
)
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util
import pytest

from tests.fakes.frames import event, hello_ok
from tests.fakes.gateway import ScriptedGateway
from tests.outbox.told import APPROVAL, APPROVAL_RESOLVED, JOB_FINISHED, JsonObject

from .connection import reconnect
from .satellite import add_phone
from .support import WAIT_LIMIT, add_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

PHONE = "notify.phone"


@asynccontextmanager
async def shown(hass: HomeAssistant, change: UpdateType) -> AsyncGenerator[list[Shown]]:
    """Run the block, then wait until something is shown, or no more; it is in the list afterwards."""
    changed: asyncio.Queue[Shown] = asyncio.Queue()

    @callback
    def note(kind: UpdateType, notifications: dict[str, Shown]) -> None:
        if kind is change:
            for each in notifications.values():
                changed.put_nowait(each)

    stop = async_register_callback(hass, note)
    found: list[Shown] = []
    try:
        yield found
        async with asyncio.timeout(WAIT_LIMIT):
            found.append(await changed.get())
    finally:
        stop()


def approval() -> JsonObject:
    """Return an approval that is asked for now, in no conversation."""
    now = int(dt_util.utcnow().timestamp() * 1000)
    request = APPROVAL["request"] | {"sessionKey": None}
    return APPROVAL | {"request": request, "createdAtMs": now, "expiresAtMs": now + 1_800_000}


async def test_a_scheduled_job_reaches_a_phone(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """With the name of the job above it."""
    phone = await add_phone(hass, "phone")
    entry = await add_entry(hass, friendly)
    hass.config_entries.async_update_entry(entry, options={"notify": [PHONE]})

    def is_sent(hass: HomeAssistant) -> bool:
        state = hass.states.get(PHONE)
        return state is not None and state.state != STATE_UNKNOWN

    now = int(dt_util.utcnow().timestamp() * 1000)
    async with state_change(hass, is_sent):
        await friendly.emit(event("cron", JOB_FINISHED | {"runAtMs": now}))
    assert phone.sent == [("Trash", "The trash goes out today.")]


@pytest.mark.parametrize("is_away", [False, True], ids=["told", "while we were away"])
async def test_an_approval_is_shown_until_it_is_decided(
    hass: HomeAssistant, friendly: ScriptedGateway, *, is_away: bool
) -> None:
    """With what can be decided; wherever it is, and whether we are told or find out."""
    entry = await add_entry(hass, friendly)
    hass.config_entries.async_update_entry(entry, options={"persistent": True})
    async with shown(hass, UpdateType.ADDED) as added:
        await friendly.emit(event("exec.approval.requested", approval()))
    assert "Possible decisions: allow once" in added[0]["message"]
    async with shown(hass, UpdateType.REMOVED) as removed:
        if is_away:
            await reconnect(hass, friendly, entry, hello_ok(), "ready")
        else:
            await friendly.emit(event("exec.approval.resolved", APPROVAL_RESOLVED))
    assert removed[0]["notification_id"] == added[0]["notification_id"]

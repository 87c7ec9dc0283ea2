"""How much realtime voice is used: sensors, the event of each end, the price, kept over restarts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
import re
from typing import Any, Final, cast

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.openclaw_voice.const import DOMAIN, EVENT_REALTIME_SESSION
from custom_components.openclaw_voice.realtime.backend import (
    BackendInfo,
    BackendName,
    Capabilities,
)
from custom_components.openclaw_voice.realtime.hub import SessionInfo
from custom_components.openclaw_voice.realtime.latency import Latency, LatencySummary
from custom_components.openclaw_voice.realtime.session import RealtimeSession
from custom_components.openclaw_voice.realtime.session_state import SessionState
from custom_components.openclaw_voice.realtime.summary import SessionSummary
from custom_components.openclaw_voice.realtime_usage import CONF_PRICE, RealtimeUsage, price_of
from custom_components.openclaw_voice.voice_sessions import async_voice_sessions
from tests.fakes.gateway import ScriptedGateway

from .connection import NAME
from .support import add_entry
from .talking import admit, talking

pytestmark = pytest.mark.usefixtures("home")

ACTIVE: Final = f"sensor.{NAME}_active_realtime_sessions"
TOTAL: Final = f"sensor.{NAME}_realtime_sessions"
TODAY: Final = f"sensor.{NAME}_realtime_minutes_today"
COST: Final = f"sensor.{NAME}_estimated_realtime_cost_today"
EVENT: Final = f"event.{NAME}_realtime_session"
PAGE: Final = Path(__file__).parents[2] / "docs" / "status.md"
NOON: Final = timedelta(hours=12)


@dataclass(kw_only=True)
class FakeSession:
    """What is looked at of a session."""

    info: SessionInfo
    backend_info: BackendInfo | None = None
    is_standby: bool = False
    state: SessionState = SessionState.IDLE
    unknown_events: int = 0

    def end(self, reason: str) -> None:
        """Nobody ends it here."""
        raise AssertionError(reason)


class Home:
    """An entry, and what happens in its sessions."""

    def __init__(
        self, hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
    ) -> None:
        """Hear the bus."""
        self.hass = hass
        self.entry = entry
        self.freezer = freezer
        self.hub = async_voice_sessions(hass).hub
        self.told: list[Event[dict[str, Any]]] = []
        hass.bus.async_listen(EVENT_REALTIME_SESSION, self._hear)

    @callback
    def _hear(self, event: Event[dict[str, Any]]) -> None:
        self.told.append(event)

    @property
    def usage(self) -> RealtimeUsage:
        """What counts."""
        return cast("RealtimeUsage", self.entry.runtime_data.realtime_usage)

    def begin(self, name: str = "a", **fields: Any) -> RealtimeSession:  # noqa: ANN401
        """Have a session that has no backend yet."""
        is_standby = fields.pop("is_standby", False)
        info = SessionInfo(
            session_id=name,
            **{"entry_id": self.entry.entry_id, "agent_id": "main", "agent_name": "Main"} | fields,
        )
        session = cast("RealtimeSession", FakeSession(info=info, is_standby=is_standby))
        self.hub.add(session)
        return session

    def talk(self, session: RealtimeSession, backend: BackendName = BackendName.GATEWAY) -> None:
        """Have a session tell that its backend has started."""
        session.backend_info = BackendInfo(
            name=backend,
            input_rate=24_000,
            output_rate=24_000,
            capabilities=Capabilities(barge_in=True, tool_control=True, manual_turns=True),
        )
        self.hub.changed(session)

    async def end(
        self, session: RealtimeSession, reason: str = "client_ended", *, dropped: float = 0.0
    ) -> None:
        """End a session."""
        summary = SessionSummary(
            session_id=session.info.session_id,
            reason=reason,
            seconds=90.1234,
            turns=3,
            backend=session.backend_info.name if session.backend_info else None,
            tokens={"total_tokens": 20},
            latency=LatencySummary(last=Latency(first_audio=0.5), mean_first_audio=0.25),
            dropped=dropped,
        )
        self.hub.remove(session, summary)
        await self.hass.async_block_till_done()

    async def after(self, **duration: float) -> None:
        """Let time pass."""
        self.freezer.tick(timedelta(**duration))
        async_fire_time_changed(self.hass)
        await self.hass.async_block_till_done()

    async def set_price(self, price: float | None) -> None:
        """Say what a minute costs."""
        options = {**self.entry.options, CONF_PRICE: price}
        self.hass.config_entries.async_update_entry(self.entry, options=options)
        await self.hass.async_block_till_done()

    def value(self, entity_id: str) -> str:
        """Return the state of an entity."""
        return self.state(entity_id).state

    def state(self, entity_id: str) -> State:
        """Return an entity with its attributes."""
        state = self.hass.states.get(entity_id)
        assert state is not None, entity_id
        return state


def documented() -> set[str]:
    """Return the fields of the event that the page about the status explains."""
    text = PAGE.read_text(encoding="utf-8").split("## Ends of realtime sessions\n", 1)[1]
    rows = [line for line in text.split("\n## ", 1)[0].splitlines() if line.startswith("| `")]
    return set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows)))


@pytest.fixture
async def home_of(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> Home:
    """Return the home with a gateway, at noon."""
    freezer.move_to(dt_util.start_of_local_day() + NOON)
    return Home(hass, await add_entry(hass, friendly), freezer)


async def test_sessions_are_counted_and_their_minutes_grow(home_of: Home) -> None:
    """From the moment on that something answers."""
    assert [home_of.value(each) for each in (ACTIVE, TOTAL, TODAY)] == ["0", "0", "0.0"]
    session = home_of.begin()
    await home_of.after(seconds=30)
    assert [home_of.value(each) for each in (ACTIVE, TOTAL, TODAY)] == ["1", "1", "0.0"]
    home_of.talk(session)
    await home_of.after(seconds=61)
    assert home_of.value(TODAY) == "1.02"
    await home_of.after(seconds=59)
    await home_of.end(session)
    assert [home_of.value(each) for each in (ACTIVE, TOTAL, TODAY)] == ["0", "1", "2.0"]
    await home_of.after(minutes=10)
    assert home_of.value(TODAY) == "2.0"


async def test_a_real_session_is_counted(home_of: Home) -> None:
    """It tells of its backend once that has started, and of its end."""
    admit(home_of.entry)
    async with talking(home_of.hass, home_of.entry):
        await home_of.after(minutes=2)
        assert [home_of.value(each) for each in (ACTIVE, TOTAL, TODAY)] == ["1", "1", "2.0"]
    assert home_of.value(ACTIVE) == "0"
    [told] = home_of.told
    assert told.data["satellite"] == "kitchen-1"
    assert told.data["entity_id"].startswith("assist_satellite.")


async def test_the_day_begins_anew_at_midnight(home_of: Home) -> None:
    """Also in the middle of a session."""
    session = home_of.begin()
    home_of.talk(session)
    midnight = dt_util.start_of_local_day() + timedelta(days=1)
    await home_of.after(hours=12)
    assert home_of.value(TODAY) == "0.0"
    await home_of.after(seconds=90)
    await home_of.end(session)
    assert home_of.value(TODAY) == "1.5"
    reset = home_of.state(TODAY).attributes["last_reset"]
    assert datetime.fromisoformat(reset) == midnight


async def test_who_only_waits_and_whoever_talks_elsewhere_is_not_counted(home_of: Home) -> None:
    """Neither is an event told of them."""
    standby = home_of.begin("standby", is_standby=True, agent_id="", agent_name="")
    other = home_of.begin("other", entry_id="another")
    home_of.talk(standby, BackendName.NONE)
    home_of.talk(other)
    await home_of.after(minutes=2)
    await home_of.end(standby)
    await home_of.end(other)
    assert [home_of.value(each) for each in (ACTIVE, TOTAL, TODAY)] == ["0", "0", "0.0"]
    assert home_of.told == []
    assert home_of.value(EVENT) == "unknown"


async def test_every_end_is_told(
    home_of: Home, device_registry: dr.DeviceRegistry, entity_registry: er.EntityRegistry
) -> None:
    """On the bus with the user it was, and as an event of the gateway."""
    device = device_registry.async_get_or_create(
        config_entry_id=home_of.entry.entry_id, identifiers={(DOMAIN, "kitchen-1")}
    )
    for domain in ("sensor", "assist_satellite"):
        entity_registry.async_get_or_create(
            domain, DOMAIN, "kitchen", suggested_object_id="stove", device_id=device.id
        )
    session = home_of.begin(satellite_id="kitchen-1", device_id=device.id, user_id="u" * 32)
    home_of.talk(session)
    home_of.talk(session)
    await home_of.end(session)
    [told] = home_of.told
    assert told.context.user_id == "u" * 32
    shared = {
        "reason": "client_ended",
        "agent": "main",
        "satellite": "kitchen-1",
        "backend": "gateway",
        "seconds": 90.123,
        "turns": 3,
        "tokens": {"total_tokens": 20},
        "first_audio": 0.5,
        "mean_first_audio": 0.25,
        "dropped": 0.0,
    }
    assert told.data == shared | {
        "type": "ended",
        "entry_id": home_of.entry.entry_id,
        "device_id": device.id,
        "entity_id": "assist_satellite.stove",
        "session_id": "a",
    }
    assert set(told.data) == documented()
    shown = home_of.state(EVENT).attributes
    assert shown["event_type"] == "ended"
    assert {name: shown[name] for name in shared} == shared


async def test_a_failure_is_another_type(home_of: Home) -> None:
    """It may never have had a backend, nor a satellite with a name."""
    await home_of.end(home_of.begin(), "no_backend")
    [told] = home_of.told
    assert (told.data["type"], told.data["reason"]) == ("failed", "no_backend")
    assert told.data["backend"] is told.data["device_id"] is told.data["entity_id"] is None
    assert home_of.state(EVENT).attributes["event_type"] == "failed"
    assert home_of.value(TOTAL) == "1"
    assert home_of.value(TODAY) == "0.0"


async def test_there_is_a_cost_once_there_is_a_price(
    home_of: Home, entity_registry: er.EntityRegistry
) -> None:
    """Only the gateway's speech model has one; the entry goes on when it changes."""
    coordinator = home_of.entry.runtime_data
    assert entity_registry.async_get(COST) is None
    assert home_of.usage.cost_today is None
    await home_of.set_price(0.3)
    assert home_of.value(COST) == "0.0"
    assert home_of.state(COST).attributes["unit_of_measurement"] == home_of.hass.config.currency
    costly, free = home_of.begin("costly"), home_of.begin("free")
    home_of.talk(costly)
    home_of.talk(free, BackendName.ASSIST)
    await home_of.after(minutes=10)
    assert float(home_of.value(COST)) == pytest.approx(3.0)
    await home_of.set_price(0.6)
    assert float(home_of.value(COST)) == pytest.approx(6.0)
    await home_of.set_price(None)
    assert entity_registry.async_get(COST) is None
    assert home_of.hass.states.get(COST) is None
    await home_of.set_price(0.1)
    assert float(home_of.value(COST)) == pytest.approx(1.0)
    assert home_of.entry.runtime_data is coordinator
    await home_of.end(costly)
    await home_of.end(free)


async def test_a_price_that_went_while_nothing_was_loaded_takes_the_sensor_along(
    home_of: Home, entity_registry: er.EntityRegistry
) -> None:
    """It would stay there, and be unavailable for ever."""
    await home_of.set_price(0.3)
    assert await home_of.hass.config_entries.async_unload(home_of.entry.entry_id)
    assert entity_registry.async_get(COST) is not None
    home_of.hass.config_entries.async_update_entry(home_of.entry, options={})
    assert await home_of.hass.config_entries.async_setup(home_of.entry.entry_id)
    assert entity_registry.async_get(COST) is None


async def test_what_was_counted_is_there_after_a_restart(home_of: Home) -> None:
    """And goes with the entry."""
    session = home_of.begin()
    home_of.talk(session)
    await home_of.after(minutes=3)
    await home_of.end(session)
    assert await home_of.hass.config_entries.async_reload(home_of.entry.entry_id)
    assert [home_of.value(each) for each in (ACTIVE, TOTAL, TODAY)] == ["0", "1", "3.0"]
    assert await home_of.hass.config_entries.async_remove(home_of.entry.entry_id)
    usage = RealtimeUsage(home_of.hass, home_of.entry)
    await usage.async_load()
    assert usage.total == 0


@pytest.mark.parametrize("kept", [["odd"], {"total": "many"}, {"total": -1}, {}], ids=repr)
async def test_odd_counts_begin_anew(
    hass: HomeAssistant, hass_storage: dict[str, Any], kept: object
) -> None:
    """A file may have been edited by hand."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="e")
    hass_storage["openclaw_voice.realtime.e"] = {"version": 1, "data": kept}
    usage = RealtimeUsage(hass, entry)
    await usage.async_load()
    assert (usage.total, usage.seconds_today) == (0, 0)


async def test_a_file_that_cannot_be_read_is_no_reason_to_fail(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Voice is worth more than its numbers."""

    async def fail(_: object) -> None:
        raise HomeAssistantError("broken")

    monkeypatch.setattr(Store, "async_load", fail)
    usage = RealtimeUsage(hass, MockConfigEntry(domain=DOMAIN))
    await usage.async_load()
    assert usage.total == 0


async def test_diagnostics_have_numbers(home_of: Home) -> None:
    """And how the sessions are."""
    session = home_of.begin()
    home_of.talk(session)
    other = home_of.begin("b")
    other.unknown_events = 3
    await home_of.end(other, "idle", dropped=0.5)
    await home_of.after(minutes=1)
    assert home_of.usage.facts() == {
        "sessions": [{"state": "idle", "backend": "gateway"}],
        "total": 2,
        "seconds_today": 60,
        "ends": {"idle": 1},
        "dropped_seconds": 0.5,
        "unknown_events": 3,
        "has_price": False,
    }
    await home_of.end(session)


@pytest.mark.parametrize(
    ("price", "read"),
    [
        (0.3, 0.3),
        (1, 1.0),
        (1000, 100.0),
        (0, None),
        (-1, None),
        (True, None),
        ("1", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_a_price_is_a_number_of_money(price: object, read: float | None) -> None:
    """What is no price is none."""
    assert price_of({CONF_PRICE: price}) == read
    assert price_of({}) is None

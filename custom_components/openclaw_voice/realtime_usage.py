"""How much realtime voice is used on a gateway, and the event of every session that ends.

Counts and durations; nothing that was said. Sessions that only wait for something to be told
(standby) do not count.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
import math
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_time_change, async_track_time_interval
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import EVENT_REALTIME_SESSION
from .gateway.callbacks import Listeners
from .realtime.backend import BackendName
from .realtime.endpoint import RealtimeHub
from .realtime.hub import HubEvent, HubEventKind
from .realtime.session import RealtimeSession
from .realtime.summary import SessionSummary
from .realtime.usage import WANTED_ENDS, UsageMeter

CONF_PRICE: Final = "price_per_minute"
"""Option of an entry: what a minute with the gateway's speech model costs, in the home's currency."""

MAX_PRICE: Final = 100.0

ENDED: Final = "ended"
FAILED: Final = "failed"
"""Types of the event."""

TICK: Final = timedelta(minutes=1)
"""Between two changes of what is shown while somebody talks."""

SAVE_DELAY: Final = 5.0
STORAGE_VERSION: Final = 1
_STORAGE_KEY: Final = "openclaw_voice.realtime.{}"

type OnEnd = Callable[[Mapping[str, Any]], None]


class RealtimeUsage:
    """The realtime sessions of one entry, in numbers."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Nothing is counted before `async_follow`."""
        self.total = 0
        """Sessions there ever were."""

        self.ends: Counter[str] = Counter()
        """Why sessions have ended, since the entry was set up."""

        self._hass = hass
        self._entry = entry
        self._store = _store(hass, entry.entry_id)
        self._meter = UsageMeter()
        self._live: dict[str, RealtimeSession] = {}
        """Those that go on, by their ids."""

        self._dropped = 0.0
        """Seconds of audio that nobody heard, of sessions that have ended."""

        self._unknown = 0
        """Events of newer satellites that were ignored in those."""

        self._listeners = Listeners[[]]()
        self._end_listeners = Listeners[[Mapping[str, Any]]]()
        self._stop_ticking: CALLBACK_TYPE | None = None

    @property
    def active(self) -> int:
        """How many sessions go on."""
        return len(self._live)

    @property
    def seconds_today(self) -> float:
        """How long people have talked since midnight, those who still do included."""
        return self._meter.seconds(*_now())

    @property
    def price(self) -> float | None:
        """What a minute costs; None: nobody has said."""
        return price_of(self._entry.options)

    @property
    def cost_today(self) -> float | None:
        """What the gateway's speech model may have cost today; None without a price."""
        if self.price is None:
            return None
        return round(self._meter.seconds(*_now(), BackendName.GATEWAY) / 60 * self.price, 4)

    async def async_load(self) -> None:
        """Read what was counted before; what cannot be read counts as nothing."""
        try:
            kept = await self._store.async_load()
        except HomeAssistantError, NotImplementedError:
            return
        if isinstance(kept, Mapping):
            total = kept.get("total")
            self.total = total if isinstance(total, int) and total > 0 else 0
            self._meter.read(kept)

    async def async_stop(self) -> None:
        """Write what was counted. Idempotent."""
        self._tick(is_needed=False)
        if self.total:
            await self._store.async_save(self._data())

    @staticmethod
    async def async_remove(hass: HomeAssistant, entry_id: str) -> None:
        """Delete what is stored for an entry that is removed."""
        await _store(hass, entry_id).async_remove()

    @callback
    def async_follow(self, hub: RealtimeHub) -> CALLBACK_TYPE:
        """Count the sessions of this entry; return what ends that."""
        unsubscribe = hub.subscribe(self._on_event)
        stop_midnight = async_track_time_change(self._hass, self._tell, hour=0, minute=0, second=0)

        @callback
        def stop() -> None:
            unsubscribe()
            stop_midnight()
            self._tick(is_needed=False)

        return stop

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when a number is another; return what ends that."""
        return self._listeners.add(listener)

    @callback
    def async_subscribe_ends(self, listener: OnEnd) -> CALLBACK_TYPE:
        """Call `listener` with the data of every session that ends; return what ends that."""
        return self._end_listeners.add(listener)

    def facts(self) -> dict[str, Any]:
        """Return what diagnostics show."""
        return {
            "sessions": [
                {"state": each.state, "backend": each.backend_info and each.backend_info.name}
                for each in self._live.values()
            ],
            "total": self.total,
            "seconds_today": round(self.seconds_today),
            "ends": dict(self.ends),
            "dropped_seconds": round(self._dropped, 1),
            "unknown_events": self._unknown,
            "has_price": self.price is not None,
        }

    @callback
    def _on_event(self, event: HubEvent[RealtimeSession]) -> None:
        session = event.session
        if session.info.entry_id != self._entry.entry_id or session.is_standby:
            return
        is_news = self._count(event)
        if event.summary is not None:
            self._on_end(session, event.summary)
        if is_news:
            self._tick(is_needed=self._meter.is_running)
            self._tell()

    def _count(self, event: HubEvent[RealtimeSession]) -> bool:
        """Count a session; return whether a number is another now."""
        session_id, backend = event.session.info.session_id, event.session.backend_info
        match event.kind:
            case HubEventKind.STARTED:
                self._live[session_id] = event.session
                self.total += 1
                self._store.async_delay_save(self._data, SAVE_DELAY)
            case HubEventKind.ENDED:
                self._live.pop(session_id, None)
                self._meter.close(session_id, *_now())
                self._store.async_delay_save(self._data, SAVE_DELAY)
                return True
        is_open = backend is not None and self._meter.open(session_id, backend.name, _now()[0])
        return is_open or event.kind is HubEventKind.STARTED

    def _on_end(self, session: RealtimeSession, summary: SessionSummary) -> None:
        """Tell that a session has ended."""
        self.ends[summary.reason] += 1
        self._dropped += summary.dropped
        self._unknown += session.unknown_events
        info = session.info
        data = {
            "type": ENDED if summary.reason in WANTED_ENDS else FAILED,
            "entry_id": info.entry_id,
            "agent": info.agent_id,
            "satellite": info.satellite_id,
            "device_id": info.device_id,
            "entity_id": self._entity_of(info.device_id),
            **summary.as_data(),
        }
        self._hass.bus.async_fire(
            EVENT_REALTIME_SESSION, data, context=Context(user_id=info.user_id)
        )
        self._end_listeners.tell(data)

    def _entity_of(self, device_id: str | None) -> str | None:
        """Return the satellite entity of a device."""
        registry = er.async_get(self._hass)
        entities = er.async_entries_for_device(registry, device_id) if device_id else ()
        satellites = (each for each in entities if each.domain == Platform.ASSIST_SATELLITE)
        return next((each.entity_id for each in satellites), None)

    @callback
    def _tell(self, _: datetime | None = None) -> None:
        self._listeners.tell()

    def _tick(self, *, is_needed: bool) -> None:
        """Have what is shown grow while somebody talks."""
        if is_needed and self._stop_ticking is None:
            self._stop_ticking = async_track_time_interval(
                self._hass, self._tell, TICK, cancel_on_shutdown=True
            )
        elif not is_needed and self._stop_ticking is not None:
            self._stop_ticking()
            self._stop_ticking = None

    def _data(self) -> dict[str, Any]:
        return {"total": self.total, **self._meter.as_data()}


def price_of(options: Mapping[str, Any]) -> float | None:
    """Read the price of a minute from the options of an entry; None: there is none."""
    price = options.get(CONF_PRICE)
    if isinstance(price, bool) or not isinstance(price, int | float) or not math.isfinite(price):
        return None
    return min(float(price), MAX_PRICE) if price > 0 else None


def _now() -> tuple[float, float]:
    """Return the time, and when the day began at home, in seconds since 1970."""
    return dt_util.utcnow().timestamp(), dt_util.start_of_local_day().timestamp()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store[dict[str, Any]](
        hass, STORAGE_VERSION, _STORAGE_KEY.format(entry_id), private=True, atomic_writes=True
    )

"""How the satellites of this Home Assistant are, and when one changes."""

from collections.abc import Callable
from typing import Final

from homeassistant.const import ATTR_SUPPORTED_FEATURES, STATE_UNAVAILABLE
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import TrackStates, async_track_state_change_filtered

from .queue import Satellite

SATELLITE: Final = "assist_satellite"
"""Its own package is not imported: that would need everything a voice pipeline needs."""

CAN_ANNOUNCE: Final = 1
"""Source: `AssistSatelliteEntityFeature.ANNOUNCE` of Home Assistant."""

CAN_LISTEN: Final = 2
"""Source: the same, `START_CONVERSATION`."""

IDLE: Final = "idle"
_OURS: Final = "openclaw_voice"
"""The platform of realtime satellites, whose states tell of a turn as long as it goes on."""

_IN_A_TURN: Final = frozenset({"listening", "processing"})
"""Source: `AssistSatelliteState` of Home Assistant."""


class Satellites:
    """Every satellite, followed from the start: its state does not tell what it was before."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Follow them as long as Home Assistant runs."""
        self._hass = hass
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._cut_off: set[str] = set()
        """Those that became idle in the middle of a turn."""

        async_track_state_change_filtered(
            hass, TrackStates(False, set(), {SATELLITE}), self._on_change
        )

    def now(self, entity_id: str) -> Satellite:
        """Return how a satellite is right now."""
        state = self._hass.states.get(entity_id)
        if state is None or state.state == STATE_UNAVAILABLE:
            return Satellite(is_there=False)
        features = state.attributes.get(ATTR_SUPPORTED_FEATURES, 0)
        return Satellite(
            is_there=True,
            can_announce=bool(features & CAN_ANNOUNCE),
            can_listen=bool(features & CAN_LISTEN),
            idle_since=state.last_changed if state.state == IDLE else None,
            is_cut_off=entity_id in self._cut_off,
        )

    @callback
    def async_subscribe(self, entity_id: str, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call `listener` after every change of a satellite; return what ends that."""
        self._listeners.setdefault(entity_id, []).append(listener)

        @callback
        def unsubscribe() -> None:
            self._listeners[entity_id].remove(listener)
            if not self._listeners[entity_id]:
                del self._listeners[entity_id]

        return unsubscribe

    @callback
    def _on_change(self, event: Event[EventStateChangedData]) -> None:
        entity_id = event.data["entity_id"]
        before, now = _name(event.data["old_state"]), _name(event.data["new_state"])
        if before in _IN_A_TURN and now == IDLE and not self._is_ours(entity_id):
            self._cut_off.add(entity_id)
        elif before != now:
            self._cut_off.discard(entity_id)
        for listener in tuple(self._listeners.get(entity_id, ())):
            listener()

    def _is_ours(self, entity_id: str) -> bool:
        """Tell whether it is a realtime satellite."""
        entity = er.async_get(self._hass).async_get(entity_id)
        return entity is not None and entity.platform == _OURS


def _name(state: State | None) -> str | None:
    return None if state is None else state.state

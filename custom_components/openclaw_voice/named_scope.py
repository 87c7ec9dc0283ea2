"""Which conversation an action names: that of a satellite, a person, a room and so on."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, entity_registry as er

from .assist.agent import Agent
from .assist.question import Origin
from .assist.scope import SHARED_VALUE, kinds_of
from .assist.session_key import SessionKind, SessionScope
from .assist.surroundings import async_named_origin
from .exceptions import input_error

ATTR_AREA: Final = "area"
ATTR_CONVERSATION_ID: Final = "conversation_id"
ATTR_PERSON: Final = "person"
ATTR_SATELLITE: Final = "satellite"
ATTR_SESSION: Final = "session"
PLACES: Final = (ATTR_SATELLITE, ATTR_PERSON, ATTR_AREA, ATTR_CONVERSATION_ID, ATTR_SESSION)

_PERSON_PREFIX: Final = "person."
_SATELLITE_PREFIX: Final = "assist_satellite."


@callback
def named_person(hass: HomeAssistant, person: str) -> Origin:
    """Return the origin of what a person, by entity id, asks.

    Raises:
        ServiceValidationError: There is no such person.
    """
    origin = async_named_origin(hass, person_id=person)
    if origin.person is None or not person.startswith(_PERSON_PREFIX):
        raise input_error("no_such_person", entity_id=person)
    return origin


@callback
def used_scope(hass: HomeAssistant, agent: Agent, data: Mapping[str, Any]) -> SessionScope:
    """Return what an action names, when turns of the agent can belong there.

    Raises:
        ServiceValidationError: No turn would ever notice, or nothing is named.
    """
    scope = named_scope(hass, agent, data)
    remembered = agent.options.scope
    if ATTR_SESSION not in data and scope.kind not in kinds_of(remembered):
        raise input_error("scope_not_used", named=scope.kind.value, needed=remembered.value)
    if not _is_there(hass, scope):
        raise input_error("no_such_place", place=scope.value)
    return scope


@callback
def named_scope(hass: HomeAssistant, agent: Agent, data: Mapping[str, Any]) -> SessionScope:
    """Return what an action names.

    Raises:
        ServiceValidationError: Nothing is named, and the agent has not just one session.
    """
    match data:
        case {"session": str(name)}:
            return SessionScope(kind=SessionKind.SHARED, value=name)
        case {"satellite": str(satellite_id)}:
            return SessionScope(kind=SessionKind.SATELLITE, value=satellite_id)
        case {"person": str(person)}:
            asker = named_person(hass, person).person
            return SessionScope(kind=SessionKind.PERSON, value=asker.id if asker else person)
        case {"area": str(area_id)}:
            return SessionScope(kind=SessionKind.AREA, value=area_id)
        case {"conversation_id": str(conversation_id)}:
            return SessionScope(kind=SessionKind.CONVERSATION, value=conversation_id)
        case _ if agent.options.scope is SessionKind.SHARED:
            return SessionScope(kind=SessionKind.SHARED, value=SHARED_VALUE)
        case _:
            raise input_error("no_scope", needed=agent.options.scope.value)


def _is_there(hass: HomeAssistant, scope: SessionScope) -> bool:
    """Tell whether Home Assistant has the satellite or the area."""
    if scope.kind is SessionKind.AREA:
        return ar.async_get(hass).async_get_area(scope.value) is not None
    if scope.kind is not SessionKind.SATELLITE:
        return True
    is_known = er.async_get(hass).async_get(scope.value) or hass.states.get(scope.value)
    return scope.value.startswith(_SATELLITE_PREFIX) and is_known is not None

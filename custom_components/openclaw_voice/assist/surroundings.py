"""Where a question comes from, as the registries of Home Assistant know it. Nothing is guessed."""

from dataclasses import replace
import logging
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import TemplateError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
)
from homeassistant.helpers.template import Template

from .options import AgentOptions
from .question import Origin, Person, Place

_SATELLITE_DOMAIN: Final = "assist_satellite"
_PERSON_DOMAIN: Final = "person"
_USER_ID: Final = "user_id"

_LOGGER: Final = logging.getLogger(__name__)


async def async_origin(
    hass: HomeAssistant, *, satellite_id: str | None, device_id: str | None, user_id: str | None
) -> Origin:
    """Return what is known about the place and the person a question comes from.

    Args:
        hass: Home Assistant.
        satellite_id: Entity id of an Assist satellite.
        device_id: A device; without a satellite, its only satellite is meant.
        user_id: The user of Home Assistant who asks. A satellite may have one of its own, who is
            nobody; so only a person of Home Assistant counts there.
    """
    origin = async_place(hass, satellite_id=satellite_id, device_id=device_id)
    needs_person = satellite_id is not None
    person = await _async_person(hass, user_id, needs_person) if user_id else None
    return replace(origin, person=person)


@callback
def async_place(
    hass: HomeAssistant, *, satellite_id: str | None, device_id: str | None = None
) -> Origin:
    """Return what is known about the place a question comes from, without the person."""
    entities = er.async_get(hass)
    if satellite_id is None and device_id is not None:
        satellite_id = _only_satellite(entities, device_id)
    entity = entities.async_get(satellite_id) if satellite_id else None
    if device_id is None and entity is not None:
        device_id = entity.device_id
    device = dr.async_get(hass).async_get(device_id) if device_id else None
    area, floor = _room(hass, _area_id(hass, entity, device))
    return Origin(
        satellite_id=satellite_id,
        satellite_name=_satellite_name(hass, satellite_id, entity, device),
        device_id=device_id,
        device_model=_model(hass, device),
        area=area,
        floor=floor,
    )


@callback
def async_named_origin(
    hass: HomeAssistant,
    *,
    satellite_id: str | None = None,
    person_id: str | None = None,
    area_id: str | None = None,
) -> Origin:
    """Return the origin that somebody names, for instance in an action.

    Args:
        hass: Home Assistant.
        satellite_id: Entity id of an Assist satellite.
        person_id: Entity id of a person. One without a user is known by this id.
        area_id: An area, instead of that of the satellite.
    """
    origin = async_place(hass, satellite_id=satellite_id)
    if area_id is not None:
        area, floor = _room(hass, area_id)
        origin = replace(origin, area=area, floor=floor)
    if person_id is not None and (state := hass.states.get(person_id)) is not None:
        user_id = state.attributes.get(_USER_ID)
        origin = replace(origin, person=Person(id=user_id or person_id, name=state.name))
    return origin


@callback
def async_render_instructions(
    hass: HomeAssistant, options: AgentOptions, origin: Origin, *, language: str
) -> str:
    """Return the agent's own instructions, with the template rendered; nothing when that fails.

    The template may use `area`, `floor`, `satellite`, `device`, `person` (names, or None) and
    `language`, besides everything that templates of Home Assistant know.
    """
    if not options.instructions:
        return ""
    variables = {
        "area": origin.area and origin.area.name,
        "floor": origin.floor and origin.floor.name,
        "satellite": origin.satellite_name,
        "device": origin.device_model,
        "person": origin.person and origin.person.name,
        "language": language,
    }
    try:
        rendered = Template(options.instructions, hass).async_render(variables, parse_result=False)
    except TemplateError as err:
        # The message of the error quotes the template, or what it was about to say.
        category = type(err.__cause__ or err).__name__
        _LOGGER.warning("The instructions of an agent cannot be rendered: %s", category)
        return ""
    return str(rendered)


def _only_satellite(entities: er.EntityRegistry, device_id: str) -> str | None:
    """Return the satellite of a device that has exactly one."""
    found = [
        entity.entity_id
        for entity in er.async_entries_for_device(entities, device_id)
        if entity.domain == _SATELLITE_DOMAIN
    ]
    return found[0] if len(found) == 1 else None


def _area_id(
    hass: HomeAssistant, entity: er.RegistryEntry | None, device: dr.AnyDeviceEntry | None
) -> str | None:
    """Return the area of a satellite: its own, else that of its device."""
    if entity is not None and entity.area_id is not None:
        return entity.area_id
    return dr.async_get_effective_area_id(hass, device) if device else None


def _room(hass: HomeAssistant, area_id: str | None) -> tuple[Place | None, Place | None]:
    """Return an area and its floor."""
    area = ar.async_get(hass).async_get_area(area_id) if area_id else None
    if area is None:
        return None, None
    room = Place(id=area.id, name=area.name)
    floor = fr.async_get(hass).async_get_floor(area.floor_id) if area.floor_id else None
    return room, Place(id=floor.floor_id, name=floor.name) if floor else None


def _model(hass: HomeAssistant, device: dr.AnyDeviceEntry | None) -> str | None:
    """Return the model of a device; a part of another one has the model of the whole."""
    if isinstance(device, dr.ChildDeviceEntry):
        device = dr.async_get(hass).async_get(device.parent_device_id, include_child_devices=False)
    return device.model if device else None


def _satellite_name(
    hass: HomeAssistant,
    satellite_id: str | None,
    entity: er.RegistryEntry | None,
    device: dr.AnyDeviceEntry | None,
) -> str | None:
    """Return the name people know a satellite by: usually that of its device."""
    if satellite_id is None:
        return None
    if entity is not None and entity.name:
        return entity.name
    if device is not None and (name := device.name_by_user or device.name):
        return name
    state = hass.states.get(satellite_id)
    return state.name if state else None


async def _async_person(hass: HomeAssistant, user_id: str, needs_person: bool) -> Person | None:
    """Return who a user is: by the name of their person, else by their own; programs are nobody."""
    user = await hass.auth.async_get_user(user_id)
    if user is None or user.system_generated:
        return None
    for state in hass.states.async_all(_PERSON_DOMAIN):
        if state.attributes.get(_USER_ID) == user_id:
            return Person(id=user_id, name=state.name)
    return Person(id=user_id, name=user.name) if user.name and not needs_person else None

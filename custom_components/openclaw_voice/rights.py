"""What a user may do with the actions: the same as with those of Home Assistant about entities."""

from collections.abc import Iterable

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL, POLICY_READ
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import Unauthorized, UnknownUser


async def async_check_rights(
    hass: HomeAssistant, context: Context, *, control: str, see: Iterable[str]
) -> None:
    """Check that whoever runs an action may. What no user has started may do everything.

    Args:
        hass: Home Assistant.
        context: Of the action.
        control: Entity id of what is used.
        see: Entity ids of what is looked at.

    Raises:
        Unauthorized, UnknownUser: The user has no right to that, or is not there any more.
    """
    user = await _async_user(hass, context)
    if user is None:
        return
    for entity_id, right in [(control, POLICY_CONTROL), *((each, POLICY_READ) for each in see)]:
        if not user.permissions.check_entity(entity_id, right):
            raise Unauthorized(context=context, entity_id=entity_id, permission=right)


async def async_check_admin(hass: HomeAssistant, context: Context) -> None:
    """Check that whoever runs an action is an administrator, or nobody: an automation by itself.

    Raises:
        Unauthorized, UnknownUser: The user is none, or is not there any more.
    """
    user = await _async_user(hass, context)
    if user is not None and not user.is_admin:
        raise Unauthorized(context=context)


async def _async_user(hass: HomeAssistant, context: Context) -> User | None:
    """Return who runs an action, None when no user has started it."""
    if context.user_id is None:
        return None
    user = await hass.auth.async_get_user(context.user_id)
    if user is None:
        raise UnknownUser(context=context)
    return user

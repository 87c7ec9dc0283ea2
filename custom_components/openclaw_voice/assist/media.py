"""What an action attaches: camera snapshots, images and local media -> what the gateway takes."""

import asyncio
from collections.abc import Mapping, Sequence
import logging
from pathlib import Path
from typing import Any, Final

from homeassistant.components import camera, image, media_source
from homeassistant.components.conversation import Attachment as MediaFile
from homeassistant.core import HomeAssistant

from ..gateway.models import HelloOk, Policy
from ..gateway.run_request import Attachment
from .attachments import async_read, check, type_of
from .task_errors import AttachmentUnreadableError

FETCH_LIMIT: Final = 30.0
"""Seconds another integration has for a picture, or to say where a file is."""

MEDIA_ID: Final = "media_content_id"
MEDIA_TYPE: Final = "media_content_type"

_LOGGER: Final = logging.getLogger(__name__)
_CAMERA: Final = "media-source://camera/"
_IMAGE: Final = "media-source://image/"
"""How the media selector names a picture of this moment; an entity id follows."""


async def async_fetch(
    hass: HomeAssistant, items: Sequence[Mapping[str, Any]], hello: HelloOk | None
) -> tuple[Attachment, ...]:
    """Return what the media selector has chosen, as the gateway takes it, in the same order.

    Args:
        hass: Home Assistant.
        items: Each with `media_content_id`, and `media_content_type` if it is known.
        hello: Of the gateway, with its limits; None: the usual ones.

    Raises:
        AttachmentError: Something cannot be read, or is larger than the gateway takes it.
    """
    policy = hello.policy if hello is not None else Policy.from_payload({})
    fetched: list[Attachment] = []
    for item in items:
        fetched.append(await _async_fetch_one(hass, item, hello))
        # Not at the end only: what is too large together need not be in memory together.
        check(fetched, policy)
    return tuple(fetched)


def pictured_entity(media_id: str) -> str | None:
    """Return the entity id of the camera or image that is meant, None for other media."""
    is_picture = media_id.startswith((_CAMERA, _IMAGE))
    return media_id.rsplit("/", 1)[-1] if is_picture else None


async def _async_fetch_one(
    hass: HomeAssistant, item: Mapping[str, Any], hello: HelloOk | None
) -> Attachment:
    media_id: str = item[MEDIA_ID]
    name = pictured_entity(media_id) or media_id.rsplit("/", 1)[-1]
    try:
        async with asyncio.timeout(FETCH_LIMIT):
            if media_id.startswith(_CAMERA):
                return _picture(name, await camera.async_get_image(hass, name))
            if media_id.startswith(_IMAGE):
                return _picture(name, await image.async_get_image(hass, name))
            media = await media_source.async_resolve_media(hass, media_id, None)
    except Exception as err:  # Other integrations raise whatever their devices do.
        _LOGGER.debug("An attachment cannot be read: %s", type(err).__name__)
        raise AttachmentUnreadableError(name) from err
    if media.path is None:
        # It is somewhere in the internet, or made while it is played.
        raise AttachmentUnreadableError(name)
    told = item.get(MEDIA_TYPE) or media.mime_type
    file = MediaFile(media_content_id=media_id, mime_type=told, path=Path(media.path))
    return (await async_read(hass, [file], hello))[0]


def _picture(name: str, picture: camera.Image | image.Image) -> Attachment:
    mime_type = type_of(name, picture.content_type)
    return Attachment(name=name, mime_type=mime_type, content=picture.content)

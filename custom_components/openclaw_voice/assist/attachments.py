"""Files that go with a message: from Home Assistant's disk to what the gateway takes.

Source: gateway protocol 4, `policy.attachments`; measured on gateway 2026.9.6: runs of the method
`agent` take images only, told by their bytes, and an SVG is none for it.
"""

from collections.abc import Iterable, Sequence
import mimetypes
from typing import Final

from homeassistant.components.conversation import Attachment as MediaFile
from homeassistant.core import HomeAssistant

from ..gateway.models import HelloOk, Policy
from ..gateway.run_request import Attachment
from .task_errors import (
    AttachmentsTooLargeError,
    AttachmentTooLargeError,
    AttachmentUnreadableError,
)

UNKNOWN_TYPE: Final = "application/octet-stream"
FRAME_MARGIN: Final = 65_536
"""Bytes of a frame for everything besides its attachments: words, instructions, names."""

_DRAWING: Final = "image/svg+xml"
_DRAWING_AS_TEXT: Final = "text/xml"
_ENCODED: Final = 4
_PLAIN: Final = 3
"""Three bytes of a file are four of a frame."""


def all_are_images(attachments: Iterable[Attachment]) -> bool:
    """Tell whether a run that takes images only can be given these."""
    return all(_is_image(attachment.mime_type) for attachment in attachments)


async def async_read(
    hass: HomeAssistant, files: Sequence[MediaFile], hello: HelloOk | None
) -> tuple[Attachment, ...]:
    """Read files and return them as the gateway takes them.

    Args:
        hass: Reads in its executor.
        files: What Home Assistant has resolved; each must be on the disk.
        hello: Of the gateway, with its limits; None: the usual ones.

    Raises:
        AttachmentError: A file is not there, or larger than the gateway takes it.
    """
    if not files:
        return ()
    policy = hello.policy if hello is not None else Policy.from_payload({})
    return await hass.async_add_executor_job(_read_all, files, policy)


def check(attachments: Sequence[Attachment], policy: Policy) -> None:
    """Check what is to go with one message.

    Raises:
        AttachmentTooLargeError: One of them is larger than the gateway takes it.
        AttachmentsTooLargeError: All of them are larger than a message may be.
    """
    for attachment in attachments:
        limit = _limit(attachment.mime_type, policy)
        if len(attachment.content) > limit:
            raise AttachmentTooLargeError(attachment.name, limit)
    _check_total(sum(len(attachment.content) for attachment in attachments), policy)


def type_of(name: str, told: str | None) -> str:
    """Return the MIME type of a file: what somebody told, else what its name says."""
    mime_type = (told or "").partition(";")[0].strip().lower()
    if "/" not in mime_type or mime_type == UNKNOWN_TYPE:
        mime_type = mimetypes.guess_type(name)[0] or UNKNOWN_TYPE
    return _DRAWING_AS_TEXT if mime_type == _DRAWING else mime_type


def _read_all(files: Sequence[MediaFile], policy: Policy) -> tuple[Attachment, ...]:
    attachments: list[Attachment] = []
    total = 0
    for file in files:
        attachment = _read(file, policy)
        attachments.append(attachment)
        total += len(attachment.content)
        _check_total(total, policy)
    return tuple(attachments)


def _read(file: MediaFile, policy: Policy) -> Attachment:
    """Read one file, and of one that is too large no more than it takes to know."""
    name = file.path.name
    mime_type = type_of(name, file.mime_type)
    limit = _limit(mime_type, policy)
    try:
        with file.path.open("rb") as opened:
            content = opened.read(limit + 1)
    except OSError as err:
        raise AttachmentUnreadableError(name) from err
    if len(content) > limit:
        raise AttachmentTooLargeError(name, limit)
    return Attachment(name=name, mime_type=mime_type, content=content)


def _limit(mime_type: str, policy: Policy) -> int:
    limits = policy.attachments
    return limits.max_image_bytes if _is_image(mime_type) else limits.max_bytes


def _check_total(size: int, policy: Policy) -> None:
    limit = (policy.max_payload - FRAME_MARGIN) * _PLAIN // _ENCODED
    if size > limit:
        raise AttachmentsTooLargeError(limit)


def _is_image(mime_type: str) -> bool:
    return mime_type.startswith("image/") and mime_type != _DRAWING

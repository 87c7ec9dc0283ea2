"""Files that go with a message."""

from pathlib import Path

from homeassistant.components.conversation import Attachment as MediaFile
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.assist.attachments import (
    FRAME_MARGIN,
    all_are_images,
    async_read,
    check,
    type_of,
)
from custom_components.openclaw_voice.assist.task_errors import (
    AttachmentsTooLargeError,
    AttachmentTooLargeError,
    AttachmentUnreadableError,
)
from custom_components.openclaw_voice.exceptions import async_sentence
from custom_components.openclaw_voice.gateway.models import AttachmentLimits, HelloOk, Policy
from custom_components.openclaw_voice.gateway.run_request import Attachment

LIMITS = AttachmentLimits(max_bytes=1_000, max_image_bytes=100)


def policy(max_payload: int = 1_000_000) -> Policy:
    """Return what a gateway takes."""
    return Policy(max_payload=max_payload, tick_interval=30, attachments=LIMITS)


def hello(max_payload: int = 1_000_000) -> HelloOk:
    """Return the answer of a gateway to our connect."""
    return HelloOk(
        protocol=4,
        server_version="2026.9.6",
        boot_id=None,
        scopes=(),
        device_token=None,
        policy=policy(max_payload),
        methods=frozenset(),
    )


def file_of(folder: Path, name: str, size: int, mime_type: str = "") -> MediaFile:
    """Return a file on the disk."""
    path = folder / name
    path.write_bytes(b"x" * size)
    return MediaFile(media_content_id="media-source://x", mime_type=mime_type, path=path)


async def test_a_file_is_read(hass: HomeAssistant, tmp_path: Path) -> None:
    """With its name and what it is."""
    files = [file_of(tmp_path, "door.jpg", 3, "image/jpeg"), file_of(tmp_path, "list.txt", 2)]

    assert await async_read(hass, files, hello()) == (
        Attachment(name="door.jpg", mime_type="image/jpeg", content=b"xxx"),
        Attachment(name="list.txt", mime_type="text/plain", content=b"xx"),
    )


async def test_without_files_there_is_nothing_to_do(hass: HomeAssistant) -> None:
    """Nor is anything known of the gateway's limits needed."""
    assert await async_read(hass, [], None) == ()


@pytest.mark.parametrize(
    ("name", "told", "mime_type"),
    [
        ("a.png", "image/png", "image/png"),
        ("a.bin", "Image/JPEG; q=1", "image/jpeg"),
        ("a.png", None, "image/png"),
        ("a.png", "", "image/png"),
        ("a.pdf", "application/octet-stream", "application/pdf"),
        ("a", "video", "application/octet-stream"),
        ("a.svg", None, "text/xml"),
        ("a", "image/svg+xml", "text/xml"),
    ],
)
def test_the_type_is_told_or_in_the_name(name: str, told: str | None, mime_type: str) -> None:
    """A drawing goes as the text it is, because no model takes it as an image."""
    assert type_of(name, told) == mime_type


@pytest.mark.parametrize(
    ("mime_types", "are_images"),
    [
        ([], True),
        (["image/png", "image/jpeg"], True),
        (["image/png", "text/plain"], False),
        (["image/svg+xml"], False),
    ],
)
def test_images_are_told_from_other_files(mime_types: list[str], are_images: bool) -> None:
    """Some runs take nothing else."""
    attachments = [Attachment(name="x", mime_type=kind, content=b"") for kind in mime_types]

    assert all_are_images(attachments) is are_images


@pytest.mark.parametrize(("name", "size", "limit"), [("a.png", 101, 100), ("a.txt", 1_001, 1_000)])
async def test_a_file_that_is_too_large_is_refused(
    hass: HomeAssistant, tmp_path: Path, name: str, size: int, limit: int
) -> None:
    """Images have a limit of their own."""
    with pytest.raises(AttachmentTooLargeError) as caught:
        await async_read(hass, [file_of(tmp_path, name, size)], hello())

    assert caught.value.placeholders == {"name": name, "limit": f"{limit / 1e6:.3g}"}


async def test_files_may_not_be_larger_together_than_a_frame(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """They are a third longer there than on the disk."""
    gateway = hello(max_payload=FRAME_MARGIN + 1_600)
    files = [file_of(tmp_path, f"{number}.txt", 600) for number in range(3)]

    assert len(await async_read(hass, files[:2], gateway)) == 2
    with pytest.raises(AttachmentsTooLargeError):
        await async_read(hass, files, gateway)


async def test_the_usual_limits_hold_until_the_gateway_tells_its_own(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """A file that every gateway takes can be read before there is a connection."""
    [attachment] = await async_read(hass, [file_of(tmp_path, "a.png", 1_000)], None)

    assert len(attachment.content) == 1_000


async def test_a_file_that_is_not_there_is_named(hass: HomeAssistant, tmp_path: Path) -> None:
    """By its name, without its folder, in the language of who asks."""
    missing = MediaFile(
        media_content_id="media-source://x", mime_type="image/png", path=tmp_path / "gone.png"
    )

    with pytest.raises(AttachmentUnreadableError) as caught:
        await async_read(hass, [missing], hello())

    assert str(tmp_path) not in str(caught.value)
    assert await async_sentence(hass, "en", caught.value) == "The file gone.png cannot be read."


@pytest.mark.parametrize(
    ("attachments", "error"),
    [
        pytest.param([("image/png", 100), ("text/plain", 1_000)], None, id="fine"),
        pytest.param([("image/png", 101)], AttachmentTooLargeError, id="large image"),
        pytest.param([("text/plain", 1_001)], AttachmentTooLargeError, id="large file"),
        pytest.param([("text/plain", 900)] * 3, AttachmentsTooLargeError, id="together"),
    ],
)
def test_what_is_in_memory_is_checked_alike(
    attachments: list[tuple[str, int]], error: type[Exception] | None
) -> None:
    """A picture of a camera never was on the disk."""
    given = [
        Attachment(name="x", mime_type=kind, content=b"x" * size) for kind, size in attachments
    ]
    gateway = policy(max_payload=FRAME_MARGIN + 3_200)

    if error is None:
        check(given, gateway)
        return
    with pytest.raises(error):
        check(given, gateway)

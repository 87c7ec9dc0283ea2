"""The blueprints, as a user imports them."""

from pathlib import Path
import re
from urllib.parse import quote

from homeassistant.components.blueprint import importer
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.outbox.notification import NotificationKind
from tests.architecture.source import load_json

from .blueprints import FILES, install, load

REPOSITORY = Path(__file__).parents[2]
ADDRESS = load_json("manifest.json")["documentation"]
OLDEST = load_json("../../hacs.json")["homeassistant"]


def address_of(path: Path) -> str:
    """Return the address of a file in the repository, as a browser shows it."""
    return f"{ADDRESS}/blob/main/{path.relative_to(REPOSITORY).as_posix()}"


def test_there_are_some() -> None:
    """The tests below are about each of them."""
    names = {"announce_where_someone_is", "approval_on_phone", "morning_briefing"}
    assert names | {"phone_notification"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_home_assistant_reads_them(hass: HomeAssistant, tmp_path: Path, path: Path) -> None:
    """With selectors that exist, names and descriptions, for the releases the integration runs on."""
    install(hass, tmp_path)
    blueprint = await load(hass, path.stem)
    assert blueprint.validate() is None
    assert blueprint.name.startswith("OpenClaw")
    assert blueprint.metadata["source_url"] == address_of(path)
    assert blueprint.metadata["homeassistant"]["min_version"] == OLDEST
    assert blueprint.inputs
    for name, each in blueprint.inputs.items():
        assert each["name"], name
        assert each["selector"], name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_kinds_are_those_there_are(hass: HomeAssistant, tmp_path: Path, path: Path) -> None:
    """A kind that is renamed would never come."""
    install(hass, tmp_path)
    chosen = (await load(hass, path.stem)).inputs.get("kinds")
    if chosen is not None:
        offered = [option["value"] for option in chosen["selector"]["select"]["options"]]
        assert set(chosen["default"]) <= set(offered) <= {kind.value for kind in NotificationKind}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_can_be_imported_with_one_click(path: Path) -> None:
    """The documentation links to each, with an address Home Assistant can turn into that of the file."""
    page = (REPOSITORY / "docs" / "notifications.md").read_text(encoding="utf-8")
    address = address_of(path)
    link = f"https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url={quote(address, safe='')}"
    assert link in page
    raw = importer._get_github_import_url(address)
    assert re.fullmatch(r"https://raw\.githubusercontent\.com/.+/main/blueprints/.+\.yaml", raw)

"""What the page about the status names is there."""

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
import yaml

from tests.fakes.gateway import ScriptedGateway

from .support import introduce, make_entry

pytestmark = pytest.mark.usefixtures("home")

PAGE: Final = Path(__file__).parents[2] / "docs" / "status.md"
BUILT_IN: Final = {
    "heading",
    "tile",
    "markdown",
    "statistics-graph",
    "entity",
    "sections",
    "grid",
}
"""Of Home Assistant's own cards, badges, views and sections, those the example uses."""


def examples() -> list[Any]:
    """Return the examples of the page."""
    return [
        yaml.safe_load(block)
        for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]


def values_of(tree: Any, *names: str) -> Iterator[str]:  # noqa: ANN401  any YAML
    """Yield what stands under some keys, at any depth."""
    if isinstance(tree, list):
        for item in tree:
            yield from values_of(item, *names)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            listed = value if isinstance(value, list) else [value]
            if key in names:
                yield from (item for item in listed if isinstance(item, str))
            yield from values_of(value, *names)


@pytest.fixture
async def entity_ids(hass: HomeAssistant, friendly: ScriptedGateway) -> set[str]:
    """Return the ids of all entities of a gateway that is called as on the page."""
    introduce(friendly, "molty")
    entry = make_entry(hass, friendly, "molty")
    hass.config_entries.async_update_entry(entry, title="OpenClaw")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return {entity.entity_id for entity in er.async_get(hass).entities.values()}


async def test_the_examples_name_entities_there_are(entity_ids: set[str]) -> None:
    """An example that is copied must work."""
    named = list(values_of(examples(), "entity", "entities", "entity_id"))
    assert len(named) > 15
    assert set(named) <= entity_ids


def test_the_dashboard_needs_no_other_card() -> None:
    """Everybody has those that Home Assistant brings."""
    dashboard, *_ = examples()
    assert set(values_of(dashboard, "type")) <= BUILT_IN

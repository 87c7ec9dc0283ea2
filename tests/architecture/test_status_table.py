"""The table of the status entities is the same in the code and in the documentation."""

from collections.abc import Iterator
from typing import Final

from homeassistant.components.number import NumberEntityDescription
from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.helpers.entity import EntityDescription
import pytest

from custom_components.openclaw_voice.agent_sensors import AGENT_SENSORS
from custom_components.openclaw_voice.binary_sensor import BINARY_SENSORS, SESSION_ACTIVE
from custom_components.openclaw_voice.button import BUTTONS
from custom_components.openclaw_voice.gateway_sensors import REALTIME_COST, SENSORS
from custom_components.openclaw_voice.number import VOLUME
from custom_components.openclaw_voice.satellite_sensors import SATELLITE_SENSORS
from custom_components.openclaw_voice.status_source import HasSource, Source
from custom_components.openclaw_voice.switch import MUTE
from custom_components.openclaw_voice.update import UPDATE

from .source import ROOT, load_json

PAGE: Final = ROOT.parents[1] / "docs" / "status.md"
TEXTS: Final = load_json("translations/en.json")["entity"]
GATEWAY: Final = {
    "binary_sensor": BINARY_SENSORS,
    "sensor": (*SENSORS, REALTIME_COST),
    "update": (UPDATE,),
    "button": BUTTONS,
}
AGENT: Final = {"sensor": AGENT_SENSORS}
SATELLITE: Final = {
    "binary_sensor": (SESSION_ACTIVE,),
    "sensor": SATELLITE_SENSORS,
    "number": (VOLUME,),
    "switch": (MUTE,),
}
TABLES: Final = {"Gateway": GATEWAY, "Agent": AGENT, "Voice satellite": SATELLITE}
NOTHING: Final = "–"


def in_code(tables: dict[str, tuple[EntityDescription, ...]]) -> Iterator[list[str]]:
    """Yield the rows of the code, as the page shows them."""
    for platform, descriptions in tables.items():
        for description in descriptions:
            assert isinstance(description, HasSource)
            unit = state_class = None
            if isinstance(description, SensorEntityDescription):
                unit = description.suggested_unit_of_measurement
                unit = unit or description.native_unit_of_measurement
                state_class = description.state_class
            elif isinstance(description, NumberEntityDescription):
                unit = description.native_unit_of_measurement
            yield [
                TEXTS[platform][description.key]["name"],
                platform.replace("_", " "),
                description.source.origin,
                description.source.timing,
                unit or NOTHING,
                state_class.replace("_", " ") if state_class else NOTHING,
                "yes" if description.entity_registry_enabled_default else "no",
            ]


def on_page(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading of the page."""
    part = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize(("heading", "tables"), TABLES.items())
def test_every_entity_has_its_row(
    heading: str, tables: dict[str, tuple[EntityDescription, ...]]
) -> None:
    """Source, unit, state class and whether it is enabled by default, in the same order."""
    assert on_page(heading) == list(in_code(tables))


def test_every_source_is_one_of_an_entity() -> None:
    """A source nobody has is a leftover."""
    used = {
        description.source
        for tables in TABLES.values()
        for table in tables.values()
        for description in table
        if isinstance(description, HasSource)
    }
    assert used == set(Source)

"""Texts and icons of entities, issues and system health are those the code uses."""

from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.openclaw_voice.agent_sensors import AGENT_SENSORS
from custom_components.openclaw_voice.binary_sensor import BINARY_SENSORS, SESSION_ACTIVE
from custom_components.openclaw_voice.button import BUTTONS
from custom_components.openclaw_voice.event import NOTIFICATION, REALTIME_SESSION
from custom_components.openclaw_voice.exceptions import CONNECTION_ERRORS
from custom_components.openclaw_voice.gateway.state import ClientState
from custom_components.openclaw_voice.gateway_sensors import NO_ERROR, REALTIME_COST, SENSORS
from custom_components.openclaw_voice.issues import (
    AWAY,
    BLOCKED,
    ISSUES,
    NO_MODEL,
    OPEN_GATEWAY,
    OUTDATED,
    REALTIME,
    SECRET_KEPT,
    VANISHED,
)
from custom_components.openclaw_voice.number import VOLUME
from custom_components.openclaw_voice.outbox.notification import NotificationKind
from custom_components.openclaw_voice.repairs import NOT_SOLVED
from custom_components.openclaw_voice.satellite_sensors import SATELLITE_SENSORS
from custom_components.openclaw_voice.satellite_settings import FINISHED_SPEAKING, PIPELINE
from custom_components.openclaw_voice.switch import MUTE
from custom_components.openclaw_voice.update import UPDATE

from .source import ROOT, load_json
from .test_errors import CLASSES

EN = load_json("translations/en.json")
ENTITY = EN["entity"]
ICONS = load_json("icons.json")["entity"]
KEYS = {
    "binary_sensor": {description.key for description in (*BINARY_SENSORS, SESSION_ACTIVE)},
    "button": {description.key for description in BUTTONS},
    "event": {NOTIFICATION, REALTIME_SESSION},
    "number": {VOLUME.key},
    "select": {"satellite_agent", "agent", PIPELINE, FINISHED_SPEAKING},
    "sensor": {
        description.key
        for description in (*SENSORS, REALTIME_COST, *AGENT_SENSORS, *SATELLITE_SENSORS)
    },
    "switch": {MUTE.key},
    "update": {UPDATE.key},
}
TABLES = {
    "select": ("select", "satellite_settings"),
    "sensor": ("gateway_sensors", "agent_sensors", "satellite_sensors"),
}
"""Files with the keys of a platform that has them not in its own file alone."""


def test_every_entity_has_a_name_and_no_name_is_left_over() -> None:
    """Without a name of its own an entity would be called like its device."""
    assert {platform: set(texts) for platform, texts in ENTITY.items()} == KEYS
    assert all(text["name"] for texts in ENTITY.values() for text in texts.values())


@pytest.mark.parametrize("platform", KEYS)
def test_keys_are_those_of_the_platform(platform: str) -> None:
    """The keys above are written in the code."""
    files = TABLES.get(platform, (platform,))
    source = "".join(Path(ROOT, f"{file}.py").read_text(encoding="utf-8") for file in files)
    assert all(f'"{key}"' in source for key in KEYS[platform])


def test_every_value_of_an_enum_has_a_text() -> None:
    """A bare slug is not for people."""
    sensor = ENTITY["sensor"]
    assert sensor["connection_state"]["state"].keys() == set(ClientState)
    assert sensor["last_error"]["state"].keys() == {NO_ERROR, *CONNECTION_ERRORS}
    shown = ENTITY["event"][NOTIFICATION]["state_attributes"]
    assert shown["event_type"]["state"].keys() == set(NotificationKind)
    assert ICONS["event"][NOTIFICATION]["state_attributes"]["event_type"]["state"].keys() == set(
        NotificationKind
    )


def test_errors_of_runs_do_not_stand_in_the_way_of_a_connection() -> None:
    """The sensor shows what keeps the gateway away, not what an agent failed at."""
    categories = {kind.category for kind in CLASSES}
    assert set(CONNECTION_ERRORS) < categories
    assert {"agent_not_found", "run_failed", "answer_stopped"} <= categories - set(
        CONNECTION_ERRORS
    )


def test_icons_are_for_entities_there_are() -> None:
    """None is needed where the device class brings one."""
    assert ICONS.keys() <= KEYS.keys()
    for platform, icons in ICONS.items():
        assert icons.keys() <= KEYS[platform]
    assert ICONS["binary_sensor"].keys() == {SESSION_ACTIVE.key}
    assert ICONS["sensor"]["connection_state"]["state"].keys() == set(ClientState)


def icons_in(tree: dict[str, Any]) -> list[str]:
    """Return every icon of a part of the file."""
    found = []
    for value in tree.values():
        found += icons_in(value) if isinstance(value, dict) else [value]
    return found


def test_icons_have_the_form_of_icons() -> None:
    """A state's icon must differ from the default."""
    assert all(re.fullmatch(r"mdi:[a-z0-9-]+", icon) for icon in icons_in(ICONS))
    for icons in ICONS.values():
        for icon in icons.values():
            assert icon["default"] not in icon.get("state", {}).values()


def test_every_issue_has_its_texts() -> None:
    """One that can be submitted has them in its flow."""
    issues = EN["issues"]
    assert issues.keys() == {*ISSUES, VANISHED}
    for kind in BLOCKED:
        flow = issues[kind]["fix_flow"]
        assert flow["abort"].keys() == {NOT_SOLVED}
        assert flow["step"]["confirm"].keys() == {"title", "description"}
    for kind in (AWAY, OUTDATED, NO_MODEL, OPEN_GATEWAY, REALTIME):
        assert issues[kind]["description"]
    assert issues[SECRET_KEPT]["fix_flow"]["step"]["confirm"].keys() == {"title", "description"}
    flow = issues[VANISHED]["fix_flow"]
    assert flow["abort"].keys() == {NOT_SOLVED}
    assert flow["step"].keys() == {"init"}
    assert flow["step"]["init"]["description"]
    assert flow["step"]["init"]["menu_options"].keys() == {"keep", "remove"}
    assert "{agent}" in issues[VANISHED]["title"]
    assert all("{gateway}" in issue["title"] for issue in issues.values())


def test_issues_are_for_errors_there_are() -> None:
    """They are raised by the category of the error."""
    assert set(BLOCKED) <= set(CONNECTION_ERRORS)

"""Translation keys the code uses and keys that are there are the same."""

import ast
from collections.abc import Iterator
import re
from typing import Any

import pytest
import yaml

from custom_components.openclaw_voice import const
from custom_components.openclaw_voice.agent_form import Choices, options_schema
from custom_components.openclaw_voice.assist.options import (
    OPTION_NAMES,
    AgentOptions,
    ContextField,
    RealtimeBackend,
    When,
)
from custom_components.openclaw_voice.assist.session_key import SessionKind
from custom_components.openclaw_voice.connect_flow import NO_DEVICE_TOKEN
from custom_components.openclaw_voice.exceptions import (
    _RUN_FAILURES,
    INPUT_ERRORS,
    SatelliteProblem,
)
from custom_components.openclaw_voice.gateway.models import ModelInfo
from custom_components.openclaw_voice.gateway.questions import AnswerProblem
from custom_components.openclaw_voice.notification_flow import cost_schema, notification_schema
from custom_components.openclaw_voice.outbox.notification import NotificationKind
from custom_components.openclaw_voice.outbox.notification_options import (
    NOTIFICATION_OPTION_NAMES,
    NotificationOptions,
)
from custom_components.openclaw_voice.outbox.wording import PREFIX, SLUGS
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime_usage import CONF_PRICE, ENDED, FAILED
from custom_components.openclaw_voice.services import WAKE_MODES

from .source import FILES, ROOT, load_json, nodes
from .test_errors import CLASSES

LANGUAGES = sorted(path.stem for path in (ROOT / "translations").glob("*.json"))
EN = load_json("translations/en.json")

BY_CORE = {"already_configured", "already_in_progress"}
"""Reasons to abort that Home Assistant's own methods give."""

CATEGORIES = {kind.category for kind in CLASSES}
FLOWS = {
    "config": ("config_flow.py", "connect_flow.py"),
    "config_subentries": ("agent_flow.py", "agent_form.py"),
}
PROBED = {"no_websocket", "use_no_tls", "use_tls"}
"""Errors that only a look at the gateway's health page tells apart."""

NO_END = {
    Reason.ALREADY_CONFIGURED,
    Reason.AUTH_FAILED,
    Reason.CONFIG_REQUIRED,
    Reason.CONFIG_TIMEOUT,
    Reason.INVALID_EVENT,
    Reason.NO_AGENT,
    Reason.RATE_LIMITED,
    Reason.TOO_MANY_SESSIONS,
    Reason.UNSUPPORTED_FRAME,
}
"""No realtime session ends for these: there is none yet, or it goes on."""

FLOW_HELPERS = ("first_contact.py", "flow_input.py")
"""Files that name errors of the flow."""


def flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every path and text of a translation file."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def literals_of_keyword(file: str, keyword: str) -> set[str]:
    """Return the texts a file passes as a keyword argument."""
    return {
        node.value.value
        for node in nodes(ROOT / file, ast.keyword)
        if node.arg == keyword
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def in_flow(name: str, keyword: str) -> set[str]:
    """Return the texts the files of a flow pass as a keyword argument."""
    return set().union(*(literals_of_keyword(file, keyword) for file in FLOWS[name]))


def errors_named(file: str) -> set[str]:
    """Return the errors a file of the flow names itself."""
    assigned = {
        node.value.value
        for node in nodes(ROOT / file, ast.Assign)
        if isinstance(node.value, ast.Constant)
        and isinstance(node.targets[0], ast.Subscript)
        and isinstance(node.targets[0].value, ast.Name)
        and node.targets[0].value.id == "errors"
    }
    raised = {
        node.value
        for node in nodes(ROOT / file, ast.Constant)
        if isinstance(node.value, str) and node.value.startswith("invalid_")
    }
    return assigned | raised | literals_of_keyword(file, "key")


def section(name: str) -> dict[str, Any]:
    """Return the texts of the config flow or of the subentry flow."""
    found: dict[str, Any] = EN["config"] if name == "config" else EN[name]["agent"]
    return found


def test_five_languages_are_there() -> None:
    """The same ones as commands are understood in."""
    assert LANGUAGES == ["de", "en", "es", "fr", "nl"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys_and_placeholders(language: str) -> None:
    """A sentence that is missing in one language comes in English; none may be missing."""
    other = dict(flatten(load_json(f"translations/{language}.json")))
    english = dict(flatten(EN))
    assert other.keys() == english.keys()
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", other[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_hold_neither_markup_nor_addresses(language: str) -> None:
    """Home Assistant refuses them; addresses are passed as placeholders."""
    for key, text in flatten(load_json(f"translations/{language}.json")):
        assert text == text.strip() != "", key
        assert not re.search(r"<[a-z/]|https?://|\[%key", text), key


def test_keys_are_slugs() -> None:
    """Home Assistant looks them up by slugs."""
    for key, _ in flatten(EN):
        assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", key), key


def test_exceptions_are_those_the_code_knows() -> None:
    """One sentence for each error, none for errors there are not."""
    wrong_answers = {f"wrong_answer_{problem}" for problem in AnswerProblem}
    known = CATEGORIES | set(_RUN_FAILURES.values()) | INPUT_ERRORS | wrong_answers
    known |= set(SatelliteProblem)
    assert EN["exceptions"].keys() == known


def test_errors_of_the_flow_are_those_the_code_knows() -> None:
    """The flow passes on the key of the error, or one of its own."""
    own = set().union(*(errors_named(file) for file in (*FLOWS["config"], *FLOW_HELPERS)))
    own |= {NO_DEVICE_TOKEN, *PROBED}
    assert {"invalid_address", "invalid_setup_code", "no_agent_chosen", "token_needed"} <= own
    assert own <= set(EN["config"]["error"])
    assert set(EN["config"]["error"]) - own <= CATEGORIES


def test_errors_of_the_agent_flow_are_those_the_code_knows() -> None:
    """They are told above the form."""
    assert section("config_subentries")["error"].keys() == literals_of_keyword(
        "agent_flow.py", "error"
    )


@pytest.mark.parametrize("name", FLOWS)
def test_reasons_to_abort_are_those_the_code_gives(name: str) -> None:
    """An unknown reason would be shown as its bare key."""
    given = in_flow(name, "reason")
    if name == "config":
        given |= BY_CORE
    assert section(name)["abort"].keys() == given


@pytest.mark.parametrize("name", FLOWS)
def test_steps_are_those_the_code_shows(name: str) -> None:
    """Every form has a title, and every field a label and a description."""
    steps = section(name)["step"]
    assert steps.keys() == in_flow(name, "step_id")
    waiting = in_flow(name, "progress_action")
    for step_id, step in steps.items():
        assert step["title"]
        if step_id in waiting:
            continue
        for part in (step, *step.get("sections", {}).values()):
            assert part.get("data", {}).keys() == part.get("data_description", {}).keys()
        assert step.get("data") or step["description"], "nothing to fill in and nothing to read"


def test_progress_is_what_the_code_shows() -> None:
    """What to do while the flow waits is said in a text of its own."""
    assert EN["config"]["progress"].keys() == in_flow("config", "progress_action")


def test_menus_offer_steps_of_the_flow() -> None:
    """Every choice has a label and says what it means."""
    offered = {
        option.value
        for file in FLOWS["config"]
        for node in nodes(ROOT / file, ast.keyword)
        if node.arg == "menu_options" and isinstance(node.value, ast.List)
        for option in node.value.elts
        if isinstance(option, ast.Constant)
    }
    [step] = [step for step in section("config")["step"].values() if "menu_options" in step]
    assert step["menu_options"].keys() == step["menu_option_descriptions"].keys() == offered


def test_fields_are_those_of_the_forms() -> None:
    """Labels belong to fields by their names."""
    fields = {
        field
        for name in FLOWS
        for step in section(name)["step"].values()
        for field in step.get("data", {})
    }
    assert fields == {
        "url",
        "token",
        const.CONF_AGENTS,
        const.CONF_AGENT_ID,
        const.CONF_SETUP_CODE,
    }


def test_every_option_of_an_agent_has_its_texts() -> None:
    """In the section it is shown in, and in no other."""
    sections = EN["config_subentries"][const.SUBENTRY_AGENT]["step"]["options"]["sections"]
    schema = options_schema(
        AgentOptions(),
        Choices(
            thinking_levels=("off",), models=(ModelInfo(reference="provider/id", name="Model"),)
        ),
    ).schema
    shown = {
        str(name): {str(field) for field in part.schema.schema} for name, part in schema.items()
    }
    assert {name: part["data"].keys() for name, part in sections.items()} == shown
    assert all(part["name"] for part in sections.values())
    assert sorted(field for part in shown.values() for field in part) == sorted(OPTION_NAMES)


def test_every_option_of_an_entry_has_its_texts() -> None:
    """In the section it is shown in, with what it means."""
    form = EN["options"]["step"]["init"]
    assert EN["options"]["step"].keys() == literals_of_keyword("notification_flow.py", "step_id")
    schema = notification_schema(NotificationOptions()).schema | cost_schema(None, "EUR").schema
    shown = {
        str(name): {str(field) for field in part.schema.schema} for name, part in schema.items()
    }
    for texts in ("data", "data_description"):
        assert {name: part[texts].keys() for name, part in form["sections"].items()} == shown
    assert all(part["name"] for part in form["sections"].values())
    fields = sorted(field for part in shown.values() for field in part)
    assert fields == sorted((*NOTIFICATION_OPTION_NAMES, CONF_PRICE))
    assert EN["options"]["error"].keys() == errors_named("notification_flow.py")


def test_ends_of_realtime_sessions_have_their_texts() -> None:
    """The activity says why one has ended."""
    texts = EN["entity"]["event"]["realtime_session"]["state_attributes"]
    assert texts["event_type"]["state"].keys() == {ENDED, FAILED}
    assert texts["reason"]["state"].keys() == set(Reason) - NO_END


def test_notifications_are_told_in_texts_there_are() -> None:
    """And no text is left that nobody says."""
    assert {slug for slug in EN["common"] if slug.startswith(PREFIX)} == set(SLUGS)


def test_every_choice_has_a_text() -> None:
    """A bare slug is not for people. Levels of thinking are the gateway's; these are known."""
    texts = {key: set(selector["options"]) for key, selector in EN["selector"].items()}
    assert texts["context_field"] == set(ContextField)
    assert texts["follow_up"] == texts["spoken_style"] == set(When)
    assert texts["realtime_backend"] == set(RealtimeBackend)
    assert texts["session_scope"] == set(SessionKind)
    assert texts["notification_kind"] == set(NotificationKind)
    assert texts["wake_when"] == set(WAKE_MODES)
    used_in = {"notification_kind": "triggers.yaml", "wake_when": "services.yaml"}
    for key in texts:
        source = (ROOT / used_in.get(key, "agent_form.py")).read_text(encoding="utf-8")
        assert re.search(rf"\b{key}\b", source), key
    assert texts["thinking_level"] >= {"off", "low", "medium", "high"}


@pytest.mark.parametrize("kind", ["triggers", "conditions"])
def test_triggers_and_conditions_have_texts_and_icons(kind: str) -> None:
    """Home Assistant shows them with their fields, which the YAML file lists."""
    described = yaml.safe_load((ROOT / f"{kind}.yaml").read_text(encoding="utf-8"))
    texts = EN[kind]
    assert texts.keys() == described.keys() == load_json("icons.json")[kind].keys()
    for name, text in texts.items():
        assert text["name"]
        assert text["description"]
        assert text["fields"].keys() == described[name]["fields"].keys()
        assert all(field["name"] and field["description"] for field in text["fields"].values())


def test_the_subentry_type_is_translated() -> None:
    """Its name and the label of its button are shown on the page of the integration."""
    assert set(EN["config_subentries"]) == {const.SUBENTRY_AGENT}
    agent = EN["config_subentries"][const.SUBENTRY_AGENT]
    assert agent["entry_type"]
    assert agent["initiate_flow"].keys() == {"user", "reconfigure"}


def test_no_key_is_written_where_the_error_tree_decides() -> None:
    """The one mapping is in `exceptions`; elsewhere no translation key is written out."""
    for path in FILES:
        if path.name != "exceptions.py":
            assert literals_of_keyword(str(path.relative_to(ROOT)), "translation_key") == set()

"""Rules of the style guide that are broken easily."""

import ast
from pathlib import Path

from homeassistant.const import Platform
import pytest

from .source import FILES, ROOT, name_of, nodes

PLATFORMS = [path for path in FILES if path.parent == ROOT and path.stem in set(Platform)]

LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SECRET_OR_SPEECH = {
    "arguments",
    "body",
    "content",
    "credentials",
    "data",
    "delta",
    "extra_system_prompt",
    "frame",
    "instructions",
    "item",
    "message",
    "params",
    "payload",
    "private_key",
    "prompt",
    "raw",
    "result",
    "secret",
    "speech",
    "text",
    "token",
    "url",
    "user_input",
}
SAFE_CALLS = {"len", "type"}
SAFE_ATTRIBUTES = {"__name__", "category", "code", "name", "kind", "run_id"}


def is_log_call(call: ast.Call) -> bool:
    """Tell whether a call writes to a logger."""
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LOG_METHODS
        and isinstance(function.value, ast.Name)
        and function.value.id in {"LOGGER", "_LOGGER"}
    )


def leaks(argument: ast.expr) -> list[str]:
    """Return the names in an argument of a logger that may hold secrets or speech."""
    if isinstance(argument, ast.Call) and ast.unparse(argument.func) in SAFE_CALLS:
        return []
    if isinstance(argument, ast.Attribute) and argument.attr in SAFE_ATTRIBUTES:
        return []
    found = []
    for node in ast.walk(argument):
        name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)
        if name in SECRET_OR_SPEECH:
            found.append(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_logger_call_formats_a_frame_or_speech(path: Path) -> None:
    """Logs tell type, method, id, size, duration and code."""
    for call in nodes(path, ast.Call):
        if not is_log_call(call):
            continue
        for argument in call.args:
            assert not isinstance(argument, ast.JoinedStr), f"line {call.lineno}"
            assert leaks(argument) == [], f"line {call.lineno}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("frame.payload", ["payload", "frame"]),
        ("str(message)", ["message"]),
        ("len(text)", []),
        ("error.category", []),
        ("settings.url", ["url"]),
    ],
)
def test_the_check_of_logger_calls_sees_what_it_is_for(source: str, expected: list[str]) -> None:
    """A check that never finds anything is worth nothing."""
    assert leaks(ast.parse(source, mode="eval").body) == expected


def test_there_are_logger_calls() -> None:
    """The names the check looks for are those in use."""
    assert any(is_log_call(call) for path in FILES for call in nodes(path, ast.Call))


@pytest.mark.parametrize("path", PLATFORMS, ids=name_of)
def test_every_platform_says_how_many_updates_may_run(path: Path) -> None:
    """Nothing is polled, so there is nothing to limit."""
    values = [
        node.value
        for node in nodes(path, ast.Assign)
        if any(isinstance(t, ast.Name) and t.id == "PARALLEL_UPDATES" for t in node.targets)
    ]
    assert [value.value for value in values if isinstance(value, ast.Constant)] == [0]


def test_every_forwarded_platform_is_checked() -> None:
    """A new platform must come under the rule above."""
    init = ROOT / "__init__.py"
    forwarded = {
        node.attr.lower()
        for node in nodes(init, ast.Attribute)
        if isinstance(node.value, ast.Name) and node.value.id == "Platform"
    }
    assert forwarded == {path.stem for path in PLATFORMS}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_entities_stay_in_place_when_they_are_renamed(path: Path) -> None:
    """From 2026.11 on an entity with these methods is added again unless it says it can cope."""
    for kind in nodes(path, ast.ClassDef):
        methods = {
            node.name: node
            for node in kind.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if "async_added_to_hass" in methods:
            assert "async_entity_id_changed" in methods, kind.name
            assert "super().async_added_to_hass()" in ast.unparse(methods["async_added_to_hass"])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_names_icons_and_errors_come_from_translations(path: Path) -> None:
    """Nothing people see is written in code."""
    code = ast.unparse(ast.parse(path.read_text(encoding="utf-8")))
    for forbidden in ("_attr_name = '", "_attr_icon", "hass.data[DOMAIN]"):
        assert forbidden not in code
    for node in nodes(path, ast.Raise):
        if isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func)
            is_untranslated = name.startswith(("ConfigEntry", "HomeAssistant", "ServiceValidation"))
            assert not is_untranslated, f"line {node.lineno}"

"""Tests of the stubs in typings."""

import ast
from pathlib import Path
from types import ModuleType

import voluptuous as vol

STUB = Path(__file__).parents[1] / "typings" / "voluptuous.pyi"
NOT_API = {"annotations", "reexport"}


def test_voluptuous_stub_names_what_home_assistant_serves() -> None:
    """The type checker sees every classic name, and none that only probatio has."""
    imports = [
        node for node in ast.walk(ast.parse(STUB.read_text())) if isinstance(node, ast.alias)
    ]
    served = {
        name
        for name, value in vars(vol).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert {node.asname for node in imports} == served - NOT_API

"""The integration's own files, parsed."""

import ast
from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2] / "custom_components" / "openclaw_voice"
FILES = sorted(ROOT.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """Return the path of a file inside the integration, for test ids and messages."""
    return path.relative_to(ROOT).as_posix()


def nodes[T: ast.AST](path: Path, kind: type[T]) -> Iterator[T]:
    """Yield the nodes of one kind in a file."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, kind))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the absolute names of the modules a file imports, relative imports resolved."""
    package = ("custom_components", "openclaw_voice", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join((*base, *([node.module] if node.module else [])))


def load_json(name: str) -> dict[str, Any]:
    """Return the content of a JSON file of the integration."""
    content: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return content

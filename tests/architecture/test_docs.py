"""The pages for users name what there is."""

from pathlib import Path
import re

import pytest
import yaml

from .source import FILES, ROOT

REPOSITORY = ROOT.parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.glob("*.md"))
ACTIONS = yaml.safe_load((ROOT / "services.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_explained_with_its_fields(action: str) -> None:
    """An action nobody knows of is not there."""
    page = (DOCS / "actions.md").read_text(encoding="utf-8")
    assert f"`openclaw_voice.{action}`" in page
    missing = [field for field in ACTIONS[action]["fields"] if not re.search(rf"\b{field}\b", page)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_actions_there_are(page: Path) -> None:
    """An example that is copied must work."""
    named = re.findall(r"action: openclaw_voice\.(\w+)", page.read_text(encoding="utf-8"))
    assert set(named) <= ACTIONS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_can_be_found(page: Path) -> None:
    """The README leads to it."""
    assert f"docs/{page.name}" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted(REPOSITORY.glob("*.md"))], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """Files are renamed; links are forgotten."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_map_names_every_file() -> None:
    """A newcomer finds a file by its name, and a file that is gone misleads."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    plan = text.split("custom_components/openclaw_voice/\n", 1)[1].split("```", 1)[0]
    named = re.findall(r"\b\w+\.py\b", plan)
    packages = [path.name for path in FILES if path.name == "__init__.py"]
    there = [path.name for path in FILES if path.name != "__init__.py"] + packages[:1]
    assert sorted(named) == sorted(there)

"""Tests of the plugin that sets up what the selected tests need."""

from collections.abc import Iterator
import subprocess
from unittest.mock import patch

import pytest

from tests import needs

pytest_plugins = ["pytester"]

SUITE = """
import pytest

@pytest.fixture
def real_gateway(): ...

@pytest.fixture
def house(real_gateway): ...

def test_quick(): ...

@pytest.mark.e2e("gateway", "schema")
def test_named(): ...

@pytest.mark.e2e
def test_by_fixture(house): ...

@pytest.mark.e2e
def test_asks_later(request): ...
"""


@pytest.fixture
def setups() -> Iterator[list[list[str]]]:
    """Collect the parts of each setup instead of running it."""
    calls: list[list[str]] = []

    def record(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        calls.append(command[1:])
        return subprocess.CompletedProcess(command, int("broken" in command))

    with patch.object(needs.subprocess, "run", record):
        yield calls


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Make a suite of its own that the plugin can be loaded into."""
    pytester.makeini(
        "[pytest]\nmarkers = e2e\naddopts = -p no:homeassistant -p no:aiohttp -p no:asyncio"
    )
    pytester.makepyfile(SUITE)
    return pytester


@pytest.mark.parametrize(
    ("selection", "parts"),
    [
        pytest.param(["-k", "quick"], [], id="quick tests need nothing"),
        pytest.param(["-m", "not e2e"], [], id="deselected tests need nothing"),
        pytest.param(["-k", "named"], [["gateway", "schema"]], id="the marker names parts"),
        pytest.param(["-k", "fixture"], [["gateway"]], id="a fixture behind a fixture tells"),
        pytest.param(
            ["-k", "later"], [["gateway", "home-assistant"]], id="both when nothing tells"
        ),
        pytest.param([], [["gateway", "home-assistant", "schema"]], id="one setup for all tests"),
        pytest.param(["--collect-only"], [], id="listing tests sets up nothing"),
    ],
)
def test_selection_decides_what_is_set_up(
    suite: pytest.Pytester, setups: list[list[str]], selection: list[str], parts: list[list[str]]
) -> None:
    """What is left after deselecting is set up at once, by marker, fixtures, or both parts."""
    result = suite.inline_run("-p", "tests.needs", *selection)

    assert result.ret == 0
    assert setups == parts


def test_failed_setup_ends_the_run(suite: pytest.Pytester, setups: list[list[str]]) -> None:
    """A missing component fails the run before the first test, it does not skip."""
    suite.makepyfile(test_broken='import pytest\n@pytest.mark.e2e("broken")\ndef test_it(): ...')

    result = suite.inline_run("-p", "tests.needs")

    assert result.ret == 1
    assert not result.getcalls("pytest_runtest_setup")

"""Fixtures of all tests.

Sockets are blocked. A test that talks to a server of its own asks for `socket_enabled`, and then
reaches 127.0.0.1 only.
"""

from asyncio import constants
from collections.abc import Generator
import inspect
import logging
import os
import threading
import traceback

from homeassistant.core import HomeAssistant
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
import pytest
import pytest_asyncio

# The test plugin brings a package named custom_components of its own. The first import wins.
import custom_components.openclaw_voice  # noqa: F401  imported for that effect

pytest_plugins = ["tests.real", "tests.real_voice"]

# The loops of the tests are in debug mode: its checks are wanted. That it also writes down the
# stack at every handle, future and task takes half of a run, so that has to be asked for.
if not os.environ.get("PYTHONASYNCIODEBUG"):
    constants.DEBUG_STACK_DEPTH = 0  # type: ignore[misc]  # read at every use by handles
    traceback.walk_stack = lambda _: iter(())  # read at every use by futures and tasks

# Home Assistant tells hundreds of steps of every start, and nobody reads them.
for name in ("homeassistant", "sqlalchemy.engine"):
    logging.getLogger(name).setLevel(logging.WARNING)

# What the test plugin does with the event loop of every test, and makes one for.
_OF_THE_LOOP = {"configure_event_loop", "enable_event_loop_debug", "verify_cleanup"}


def _has_loop(item: pytest.Function) -> bool:
    """Return whether a test runs in an event loop, or one of its fixtures does."""
    return pytest_asyncio.is_async_test(item) or any(
        inspect.iscoroutinefunction(fixture.func) or inspect.isasyncgenfunction(fixture.func)
        for name, fixtures in item._fixtureinfo.name2fixturedefs.items()
        for fixture in fixtures
        if name not in _OF_THE_LOOP and fixture.scope == "function"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spare the tests without an event loop the making of one."""
    for item in items:
        if isinstance(item, pytest.Function):
            spared = {"no_threads_left"} if _has_loop(item) else _OF_THE_LOOP
            item.fixturenames[:] = [name for name in item.fixturenames if name not in spared]


@pytest.fixture(autouse=True)
def no_threads_left() -> Generator[None]:
    """Let a test without an event loop not leave threads either."""
    before = frozenset(threading.enumerate())
    yield
    assert frozenset(threading.enumerate()) <= before


@pytest.fixture
def hass(hass: HomeAssistant) -> HomeAssistant:
    """Let Home Assistant find this integration.

    Wraps the fixture of the test plugin, so tests without Home Assistant do not pay for one.
    """
    hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
    return hass

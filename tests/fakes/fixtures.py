"""Fixtures of the fake gateways. A folder's conftest imports what its tests use."""

from collections.abc import AsyncGenerator

import pytest

from .gateway import ScriptedGateway
from .small_gateway import SmallGateway


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[ScriptedGateway]:
    """Return a gateway that plays a script, and fails the test that does not keep to it."""
    async with ScriptedGateway() as gateway:
        yield gateway


@pytest.fixture
async def small_gateway(socket_enabled: None) -> AsyncGenerator[SmallGateway]:
    """Return a gateway that behaves, with one agent, and answers at once."""
    async with SmallGateway() as gateway:
        yield gateway

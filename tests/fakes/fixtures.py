"""Fixtures of the fake gateways. A folder's conftest imports what its tests use."""

from collections.abc import AsyncGenerator

import pytest

from .gateway import ScriptedGateway


@pytest.fixture
async def gateway(socket_enabled: None) -> AsyncGenerator[ScriptedGateway]:
    """Return a gateway that plays a script, and fails the test that does not keep to it."""
    async with ScriptedGateway() as gateway:
        yield gateway

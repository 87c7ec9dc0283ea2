"""What the socket of a satellite does not do: compress sound, and write down what it is told."""

import logging

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .realtime_world import World, configure, told, world_of

OURS = "custom_components.openclaw_voice"


async def test_sound_is_not_compressed(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, hass_access_token: str
) -> None:
    """Whatever the satellite offers: it costs time, and saves nothing."""
    async with (
        world_of(hass, hass_client_no_auth, hass_access_token) as world,
        world.connected(compress=15) as socket,
    ):
        assert socket.compress == 0


@pytest.mark.parametrize("is_right", [True, False])
async def test_nothing_of_the_first_message_is_in_the_log(
    hass: HomeAssistant,
    hass_client_no_auth: ClientSessionGenerator,
    hass_access_token: str,
    caplog: pytest.LogCaptureFixture,
    *,
    is_right: bool,
) -> None:
    """It carries a token, and what was said before."""
    token = hass_access_token if is_right else "no-token-at-all"
    async with world_of(hass, hass_client_no_auth, hass_access_token) as world:
        with caplog.at_level(logging.DEBUG, OURS):
            await tell_a_lot(world, token)
    ours = [each.getMessage() for each in caplog.records if each.name.startswith(OURS)]
    assert not [line for line in ours if token in line or "grandma" in line]


async def tell_a_lot(world: World, token: str) -> None:
    """Have a short session with everything in its first message."""
    async with world.connected(bearer="") as socket:
        await configure(
            socket,
            apiKey=token,
            instructionsOverride="I am grandma.",
            conversationHistory=[{"role": "user", "text": "grandma again"}],
        )
        if (await told(socket))["type"] == "session.ready":
            await socket.send_json({"type": "steer", "text": "for grandma", "mode": "grandma"})
            await told(socket)

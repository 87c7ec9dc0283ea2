"""The life of an entry: connecting, losing the gateway, coming back, being unloaded."""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components.openclaw_voice import coordinator
from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    hello_ok,
    response_aborted,
    said,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response
from tests.fakes.refusals import (
    PairingRequest,
    Refusal,
    pairing_required,
    protocol_mismatch,
    rate_limited,
    token_mismatch,
)

from .support import AGENT, add_entry, ask, introduce, make_entry, speech_of, state_change

pytestmark = pytest.mark.usefixtures("home")

LOGGER = "custom_components.openclaw_voice"
PAIRING = PairingRequest(request_id="r-1", device_id="d", scopes=("operator.read",))
ABORT = Expect(
    "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
)


def is_available(hass: HomeAssistant) -> bool:
    """Tell whether the agent is available."""
    state = hass.states.get(AGENT)
    return state is not None and state.state != "unavailable"


def is_unavailable(hass: HomeAssistant) -> bool:
    """Tell whether the agent is there, but not available."""
    return hass.states.get(AGENT) is not None and not is_available(hass)


async def test_gateway_and_agents_are_devices(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    """An agent belongs to its subentry and hangs on the gateway."""
    entry = await add_entry(hass, friendly)
    entity = entity_registry.async_get(AGENT)
    assert entity is not None
    assert entity.unique_id == "subentry-main"
    assert entity.config_subentry_id == "subentry-main"
    agent = device_registry.async_get(str(entity.device_id))
    assert agent is not None
    assert (agent.name, agent.manufacturer, agent.model) == ("main", "OpenClaw", "Agent")
    assert agent.entry_type is dr.DeviceEntryType.SERVICE
    gateway = device_registry.async_get(str(agent.via_device_id))
    assert gateway is not None
    assert gateway.identifiers == {(DOMAIN, entry.entry_id)}
    assert (gateway.name, gateway.model, gateway.sw_version) == (
        "OpenClaw (127.0.0.1)",
        "Gateway",
        "2026.9.6",
    )
    assert gateway.configuration_url == f"http://127.0.0.1:{friendly.port}"


REFUSALS: dict[str, tuple[Refusal | dict[str, object], ConfigEntryState, str, str]] = {
    "wrong secret": (
        token_mismatch(),
        ConfigEntryState.SETUP_ERROR,
        "invalid_auth",
        "The OpenClaw gateway does not accept the token any more",
    ),
    "no rights": (
        hello_ok(scopes=()),
        ConfigEntryState.SETUP_ERROR,
        "missing_rights",
        "The OpenClaw gateway does not give Home Assistant the rights it needs. "
        "Missing: operator.read, operator.write",
    ),
    "other version": (
        protocol_mismatch(),
        ConfigEntryState.SETUP_ERROR,
        "unsupported_version",
        "The OpenClaw gateway speaks a version of its protocol that Home Assistant does not know. "
        "One of the two needs an update",
    ),
    "not approved": (
        pairing_required(PAIRING),
        ConfigEntryState.SETUP_RETRY,
        "pairing_required",
        "The owner of the OpenClaw gateway must approve Home Assistant first, with the command "
        "openclaw devices approve r-1",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_at_setup_is_told_in_a_sentence(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    refusal: tuple[Refusal | dict[str, object], ConfigEntryState, str, str],
) -> None:
    """What a person must change ends the setup; approving is found out by trying again."""
    answer, state, key, reason = refusal
    friendly.script(Expect("connect", reply=answer))
    entry = make_entry(hass, friendly)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is state
    assert entry.error_reason_translation_key == key
    assert entry.reason == reason
    flows = [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()]
    assert flows == (["reauth"] if key == "invalid_auth" else [])
    await friendly.wait_for_no_client()
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_gateway_that_is_away_at_setup_is_tried_again(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home Assistant tries again by itself, and then all is well."""
    monkeypatch.setattr(coordinator, "CONNECT_TIMEOUT", 0.1)
    await friendly.stop()
    entry = make_entry(hass, friendly)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "cannot_connect"
    await friendly.start()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert is_available(hass)


async def test_a_gateway_that_answers_too_slowly_at_setup_is_tried_again(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setup ends in time, and leaves no half-made connection behind."""
    monkeypatch.setattr(coordinator, "CONNECT_TIMEOUT", 0.1)
    friendly.accept_slowly()
    entry = make_entry(hass, friendly)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    friendly.accept()
    await friendly.wait_for_no_client()


async def test_a_lockout_at_setup_is_waited_out(
    hass: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Trying again sooner would prolong it, so the entry loads and the client waits its time."""
    friendly.script(Expect("connect", reply=rate_limited(100)))
    entry = make_entry(hass, friendly)
    async with state_change(hass, is_available):
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.LOADED
        await hass.async_block_till_done()
        assert is_unavailable(hass)
    assert lines_of(caplog) == [
        "OpenClaw (127.0.0.1) lets nobody in from here for some minutes: rate_limited",
        "Connected to OpenClaw (127.0.0.1) again",
    ]
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert device is not None
    assert device.sw_version == "2026.9.6"


def lines_of(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return what the integration logged at a level and above."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith(LOGGER) and record.levelno >= level
    ]


async def test_losing_the_gateway_is_logged_once_and_so_is_its_return(
    hass: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The entry stays loaded, its entities become unavailable and come back."""
    caplog.set_level("INFO")
    entry = await add_entry(hass, friendly)
    assert lines_of(caplog) == []
    async with state_change(hass, is_unavailable):
        await friendly.stop()
    client = entry.runtime_data.client
    for _ in range(3):
        await failed_attempt(entry.runtime_data)
    assert entry.state is ConfigEntryState.LOADED
    await friendly.start()
    async with state_change(hass, is_available):
        client.warm()
    assert lines_of(caplog) == [
        "Connection to OpenClaw (127.0.0.1) lost: connection_lost",
        "Connected to OpenClaw (127.0.0.1) again",
    ]
    assert client.snapshot.reconnects == 1


async def failed_attempt(gateway: coordinator.GatewayCoordinator) -> None:
    """Let the client try to connect in vain once more."""
    attempts = gateway.client.snapshot.attempts
    failed = asyncio.Event()
    stop = gateway.client.subscribe(lambda s: failed.set() if s.attempts > attempts else None)
    gateway.client.warm()
    async with asyncio.timeout(10):
        await failed.wait()
    stop()


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (
            token_mismatch(),
            [
                "Connection to OpenClaw (127.0.0.1) lost: connection_lost",
                "OpenClaw (127.0.0.1) does not let Home Assistant in, somebody must act: "
                "invalid_auth",
            ],
        ),
        (
            pairing_required(PAIRING),
            [
                "Connection to OpenClaw (127.0.0.1) lost: connection_lost",
                "OpenClaw (127.0.0.1) waits for its owner to approve Home Assistant: "
                "pairing_required",
            ],
        ),
    ],
    ids=["refused", "removed"],
)
async def test_a_refusal_while_running_is_logged_once_and_keeps_the_entry(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    caplog: pytest.LogCaptureFixture,
    answer: Refusal,
    lines: list[str],
) -> None:
    """The client waits for a person, and comes back when told to try again."""
    caplog.set_level("INFO")
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("connect", reply=answer), Expect("connect", reply=answer))
    await friendly.drop(1012, "service restart")
    gateway = entry.runtime_data
    await blocked(gateway, 2)
    await blocked(gateway, 3)
    assert entry.state is ConfigEntryState.LOADED
    assert is_unavailable(hass)
    async with state_change(hass, is_available):
        gateway.client.retry_now()
    assert lines_of(caplog) == [*lines, "Connected to OpenClaw (127.0.0.1) again"]


async def blocked(gateway: coordinator.GatewayCoordinator, attempts: int) -> None:
    """Try again until so many attempts in a row have ended in a closed door."""
    reached = asyncio.Event()
    stop = gateway.client.subscribe(lambda s: reached.set() if s.attempts >= attempts else None)
    gateway.client.retry_now()
    async with asyncio.timeout(10):
        await reached.wait()
    stop()


async def test_a_gateway_that_keeps_closing_is_a_warning_once(
    hass: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten quick losses: one socket at a time, and one line for a person."""
    caplog.set_level("INFO")
    entry = await add_entry(hass, friendly)
    client = entry.runtime_data.client
    for number in range(2, 12):
        async with state_change(hass, is_unavailable):
            await friendly.drop()
        async with state_change(hass, is_available):
            client.warm()
        await friendly.wait_for_client(number=number)
    assert lines_of(caplog, logging.WARNING) == [
        "Connection to OpenClaw (127.0.0.1) keeps failing: connection_lost"
    ]
    assert friendly.connections.most == 1


async def test_a_new_version_of_the_gateway_is_shown(
    hass: HomeAssistant, friendly: ScriptedGateway, device_registry: dr.DeviceRegistry
) -> None:
    """The owner has updated the gateway."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("connect", reply=hello_ok(version="2026.10.1")))
    async with state_change(hass, is_unavailable):
        await friendly.drop()
    async with state_change(hass, is_available):
        entry.runtime_data.client.warm()
    device = device_registry.async_get(entry.runtime_data.device_id)
    assert device is not None
    assert device.sw_version == "2026.10.1"


async def test_reloading_makes_a_new_connection(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The old one is closed, the entity is the same."""
    entry = await add_entry(hass, friendly)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert is_available(hass)
    assert friendly.connections.total == 2
    assert friendly.connections.most == 1


async def unload(hass: HomeAssistant, entry_id: str) -> None:
    """Unload the entry."""
    assert await hass.config_entries.async_unload(entry_id)


async def remove(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the entry."""
    await hass.config_entries.async_remove(entry_id)


async def reload(hass: HomeAssistant, entry_id: str) -> None:
    """Reload the entry."""
    assert await hass.config_entries.async_reload(entry_id)


async def stop_home_assistant(hass: HomeAssistant, entry_id: str) -> None:
    """Stop Home Assistant, all its stages."""
    await hass.async_stop(force=True)


@pytest.mark.parametrize(
    ("end", "expected_lingering_timers"),
    [
        (unload, False),
        (remove, False),
        (reload, False),
        # Home Assistant's own timer for the conversation, which ends after the stop.
        (stop_home_assistant, True),
    ],
)
async def test_an_open_run_is_aborted_and_its_turn_gets_an_answer(
    hass: HomeAssistant, friendly: ScriptedGateway, end: Callable[..., Coroutine[None, None, None]]
) -> None:
    """Nothing is left running on the gateway, nobody waits in vain."""
    entry = await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One, two")]),
        ABORT,
    )
    turn = hass.async_create_task(ask(hass), "turn")
    request = await friendly.wait_for_request("agent")
    await friendly.played()
    await end(hass, entry.entry_id)
    abort = await friendly.wait_for_request("chat.abort")
    assert abort.params["runId"] == request.params["idempotencyKey"]
    async with asyncio.timeout(10):
        assert speech_of(await turn) == "One, two"
    if end is not reload:
        await friendly.wait_for_no_client()
    assert friendly.connections.most == 1


async def test_a_turn_that_waits_for_its_first_word_is_told_of_the_end(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """An unload must not leave a satellite waiting."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=[started()]), ABORT)
    turn = hass.async_create_background_task(ask(hass), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    await unload(hass, entry.entry_id)
    async with asyncio.timeout(10):
        assert speech_of(await turn) == "The answer was stopped."


async def test_unloading_while_reconnecting_leaves_nothing_behind(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The attempt under way ends with the entry."""
    entry = await add_entry(hass, friendly)
    friendly.accept_slowly()
    async with state_change(hass, is_unavailable):
        await friendly.drop()
    entry.runtime_data.client.warm()
    await friendly.wait_for_sockets(2)
    await unload(hass, entry.entry_id)
    friendly.accept()
    await friendly.wait_for_no_client()
    assert len(friendly.received("connect")) == 1


async def test_a_setup_that_is_cancelled_leaves_nothing_behind(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Home Assistant may give up on a slow setup at any time."""
    friendly.accept_slowly()
    entry = make_entry(hass, friendly)
    setup = asyncio.ensure_future(hass.config_entries.async_setup(entry.entry_id))
    await friendly.wait_for_sockets(1)
    setup.cancel()
    with pytest.raises(asyncio.CancelledError):
        await setup
    friendly.accept()
    await friendly.wait_for_no_client()
    assert friendly.received("connect") == []


async def test_two_gateways_answer_each_with_its_own_agents(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Two entries share nothing: each asks its own gateway, and outlives the other."""
    async with ScriptedGateway() as other:
        introduce(other, "cook", gateway_id="cd" * 32)
        first = await add_entry(hass, friendly)
        second = await add_entry(hass, other, "cook", gateway_id="cd" * 32)
        friendly.script(Expect("agent", reply=accepted(), emit=answered("From the first.")))
        other.script(
            Expect("agent", reply=accepted(), emit=answered("From the second.")),
            Expect("agent", reply=accepted(), emit=answered("Still here.")),
        )
        assert speech_of(await ask(hass)) == "From the first."
        assert speech_of(await ask(hass, agent="conversation.cook")) == "From the second."
        await unload(hass, first.entry_id)
        assert speech_of(await ask(hass, agent="conversation.cook")) == "Still here."
        await unload(hass, second.entry_id)
        await other.wait_for_no_client()


async def test_renaming_an_entity_keeps_it_in_place(
    hass: HomeAssistant, friendly: ScriptedGateway, entity_registry: er.EntityRegistry
) -> None:
    """The agent answers under its new name."""
    await add_entry(hass, friendly)
    entity_registry.async_update_entity(AGENT, new_entity_id="conversation.molty")
    await hass.async_block_till_done()
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    assert speech_of(await ask(hass, agent="conversation.molty")) == "Yes."


async def test_nothing_of_a_removed_gateway_stays_on_the_disk(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_storage: dict[str, Any]
) -> None:
    """Neither its conversations nor what was asked and answered in them."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Done.")))
    for action, data in (
        ("ask", {"message": "Tidy up.", "wait": False}),
        ("new_conversation", {"session": "kitchen"}),
    ):
        await hass.services.async_call(DOMAIN, action, {"agent": AGENT, **data}, blocking=True)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert any("late_answers" in key for key in hass_storage)
    assert any("memory" in key for key in hass_storage)

    await remove(hass, entry.entry_id)

    assert [key for key in hass_storage if entry.entry_id in key] == []

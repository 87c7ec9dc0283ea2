"""What dashboards show of a gateway: pushed, or asked for while somebody looks."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import RELOAD_AFTER_UPDATE_DELAY
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.openclaw_voice import agents
from custom_components.openclaw_voice.assist.timings import NO_TIMES
from custom_components.openclaw_voice.const import DOMAIN
from custom_components.openclaw_voice.status_board import RECHECK, SYSTEM_EVERY, USAGE_EVERY
from custom_components.openclaw_voice.status_reading import AGAIN, MAX_AGAIN, SETTLING
from tests.fakes.agent_run import AgentRun
from tests.fakes.frames import (
    accepted,
    answered as answered_by_agent,
    event,
    failed,
    hello_ok,
    lifecycle,
    response_failed,
    started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, respond, skip_seq, wait_for
from tests.fakes.refusals import Refusal

from .connection import NAME, lose, reconnect, try_now
from .support import add_entry, ask, introduce, make_entry, state_change, usage_cost

pytestmark = pytest.mark.usefixtures("home")

RUNS = f"sensor.{NAME}_active_runs"
SESSIONS = f"sensor.{NAME}_sessions"
TOKENS = f"sensor.{NAME}_tokens_today"
COST = f"sensor.{NAME}_cost_today"
JOB = f"sensor.{NAME}_next_scheduled_job"
MEMORY = f"sensor.{NAME}_memory"
CLIENTS = f"sensor.{NAME}_connected_clients"
TRIP = f"sensor.{NAME}_round_trip"
HEALTH = f"binary_sensor.{NAME}_health"
UPDATE = f"update.{NAME}_update"
ACTIVITY = "sensor.main_last_activity"
MODEL = "sensor.main_model"
AGENT_TOKENS = "sensor.main_tokens_today"
FIRST_TEXT = "sensor.main_time_to_first_text"
END = "sensor.main_time_to_the_end"

HEALTHY: dict[str, Any] = {"ok": True, "sessions": {"path": "x", "count": 7, "recent": []}}
NEWER = {"currentVersion": "2026.9.6", "latestVersion": "2026.10.1", "channel": "stable"}
USAGE_SPACING = 300


@pytest.fixture(autouse=True)
def patient(friendly: ScriptedGateway) -> None:
    """Let hours pass without a tick: those who watch over ticks would end the connection."""
    friendly.tick_interval_ms = 1_000_000_000


def value_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.state


def is_(entity_id: str, value: str) -> Callable[[HomeAssistant], bool]:
    """Return what tells whether an entity has a state."""
    return lambda hass: value_of(hass, entity_id) == value


async def answered(hass: HomeAssistant) -> None:
    """Wait until the gateway has answered all that it was asked so far: it does so in order."""
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await entry.runtime_data.client.request("models.list")
    await hass.async_block_till_done()


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float) -> None:
    """Let time pass."""
    freezer.tick(timedelta(seconds=seconds))
    async_fire_time_changed(hass)
    await answered(hass)


async def enable(hass: HomeAssistant, *entity_ids: str) -> None:
    """Enable entities, as a user does."""
    for entity_id in entity_ids:
        er.async_get(hass).async_update_entity(entity_id, disabled_by=None)
    await hass.async_block_till_done()
    async_fire_time_changed(
        hass, dt_util.utcnow() + timedelta(seconds=RELOAD_AFTER_UPDATE_DELAY + 1)
    )
    await answered(hass)


async def add(hass: HomeAssistant, gateway: ScriptedGateway) -> MockConfigEntry:
    """Return an entry whose board has read all it reads at a connect."""
    entry = await add_entry(hass, gateway)
    await answered(hass)
    return entry


async def run(hass: HomeAssistant, gateway: ScriptedGateway, phase: str, run_id: str = "r") -> None:
    """Tell of a run that begins or ends, and wait until that is shown."""
    gateway.runs = {run_id: AgentRun(run_id=run_id)}
    shown = is_(RUNS, "1" if phase == "start" else "0")
    async with state_change(hass, shown):
        await gateway.emit(lifecycle(phase))


def asked(gateway: ScriptedGateway) -> int:
    """Return how often the use of all agents was asked for."""
    return sum("agentScope" in request.params for request in gateway.received("usage.cost"))


# pushed


async def test_what_the_hello_tells_is_shown_at_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nothing of it is asked for."""
    hello = hello_ok(scopes=("operator.read", "operator.write"))
    hello["snapshot"] |= {"health": HEALTHY, "updateAvailable": NEWER}
    friendly.script(Expect("connect", reply=hello))
    await add(hass, friendly)
    assert value_of(hass, SESSIONS) == "7"
    assert value_of(hass, HEALTH) == "off"
    update = hass.states.get(UPDATE)
    assert update is not None
    assert update.state == "on"
    assert update.attributes["installed_version"] == "2026.9.6"
    assert update.attributes["latest_version"] == "2026.10.1"
    assert update.attributes["supported_features"] == 0
    assert friendly.received("health") == []


async def test_events_change_what_is_shown(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """An event that tells nothing new changes nothing."""
    await add(hass, friendly)
    assert value_of(hass, SESSIONS) == "unknown"
    assert value_of(hass, HEALTH) == "unknown"
    async with state_change(hass, is_(HEALTH, "on")):
        await friendly.emit(event("health", HEALTHY | {"ok": False}))
    state = hass.states.get(HEALTH)
    assert state is not None
    assert state.attributes["problems"] == ["gateway"]
    async with state_change(hass, is_(UPDATE, "on")):
        await friendly.emit(
            event("health", {}), event("update.available", {"updateAvailable": NEWER})
        )
    assert value_of(hass, HEALTH) == "on"
    async with state_change(hass, is_(UPDATE, "off")):
        await friendly.emit(event("update.available", {"updateAvailable": None}))


async def test_runs_of_everybody_are_counted(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """From the first frame to the last; so is the last activity of an agent."""
    await add(hass, friendly)
    assert value_of(hass, RUNS) == "0"
    assert value_of(hass, ACTIVITY) == "unknown"
    before = dt_util.utcnow().replace(microsecond=0)
    await run(hass, friendly, "start")
    began = dt_util.parse_datetime(value_of(hass, ACTIVITY))
    assert began is not None
    assert began >= before
    await run(hass, friendly, "end")
    assert len(friendly.received("sessions.list")) == 1


async def test_runs_are_unknown_until_they_are_told(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """None would start the automations that wait for the end of all runs, at every connect."""
    may_answer = asyncio.Event()
    row = {"key": "agent:main:main", "hasActiveRun": True}
    emit = [wait_for(may_answer), respond({"sessions": [row]})]
    friendly.anytime(Expect("sessions.list", emit=emit))
    states: list[str] = []
    entry = await add_entry(hass, friendly)
    await friendly.wait_for_request("sessions.list")
    assert value_of(hass, RUNS) == "unknown"
    async with state_change(hass, is_(RUNS, "1")):
        may_answer.set()

    @callback
    def note(changed: Event[EventStateChangedData]) -> None:
        state = changed.data["new_state"]
        states.append(state.state if state is not None else "")

    async_track_state_change_event(hass, RUNS, note)
    async with state_change(hass, lambda _: states[-1:] == ["1"]):
        await reconnect(hass, friendly, entry, hello_ok(), "ready")
    assert states == ["unavailable", "unknown", "1"]


async def test_the_last_activity_before_the_connection_is_known(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The health of the gateway tells of the sessions used last."""
    await add(hass, friendly)
    sessions = {"count": 1, "recent": [{"updatedAt": 1_795_277_829_202}]}
    async with state_change(hass, is_(ACTIVITY, "2026-11-21T16:17:09+00:00")):
        await friendly.emit(
            event("health", {"ok": True, "agents": [{"agentId": "main", "sessions": sessions}]})
        )


async def test_runs_that_nobody_tells_of_are_looked_at_again(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """A heartbeat goes on at the connect; its end is not told us."""
    row = {"key": "agent:main:main", "hasActiveRun": True, "activeRunIds": ["r-1"]}
    friendly.anytime(Expect("sessions.list", reply={"sessions": [row]}))
    await add(hass, friendly)
    assert value_of(hass, RUNS) == "1"
    friendly.anytime(Expect("sessions.list", reply={"sessions": []}))
    await pass_time(hass, freezer, RECHECK + 1)
    assert value_of(hass, RUNS) == "0"
    await pass_time(hass, freezer, RECHECK + 1)
    assert len(friendly.received("sessions.list")) == 2


async def test_a_missed_frame_is_made_up_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The end of a run was in it."""
    await add(hass, friendly)
    await run(hass, friendly, "start")
    async with state_change(hass, is_(RUNS, "0")):
        await friendly.emit(skip_seq(1), event("tick", {"ts": 1}))
    assert len(friendly.received("sessions.list")) == 2


async def test_a_frame_missed_while_runs_are_asked_for_is_made_up_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The answer may be older than the frame that got lost."""
    row = {"key": "agent:main:main", "hasActiveRun": True}
    may_answer = asyncio.Event()
    answer = [wait_for(may_answer), respond({"sessions": [row]})]
    friendly.anytime(Expect("sessions.list", emit=answer))
    await add_entry(hass, friendly)
    await friendly.wait_for_request("sessions.list")
    await friendly.emit(event("tick", {"ts": 1}), skip_seq(1), event("tick", {"ts": 2}))
    await answered(hass)
    assert len(friendly.received("sessions.list")) == 1
    async with state_change(hass, is_(RUNS, "1")):
        may_answer.set()
    await friendly.wait_for_request("sessions.list", number=2)
    await answered(hass)
    friendly.anytime(Expect("sessions.list", reply={"sessions": []}))
    async with state_change(hass, is_(RUNS, "0")):
        await friendly.emit(skip_seq(1), event("tick", {"ts": 3}))
    assert len(friendly.received("sessions.list")) == 3


async def test_a_gateway_that_tells_no_runs_is_not_asked_all_the_time(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """What events tell is shown all the same."""
    friendly.anytime(Expect("sessions.list", reply=Refusal(message="no")))
    await add(hass, friendly)
    await run(hass, friendly, "start")
    await run(hass, friendly, "end")
    assert len(friendly.received("sessions.list")) == 1
    await pass_time(hass, freezer, RECHECK + 1)
    assert len(friendly.received("sessions.list")) == 2


async def test_clients_are_counted_when_somebody_looks(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is disabled at first, and pushed when it is not."""
    await add(hass, friendly)
    await enable(hass, CLIENTS)
    assert value_of(hass, CLIENTS) == "0"
    async with state_change(hass, is_(CLIENTS, "2")):
        await friendly.emit(event("presence", {"presence": [{"mode": "ui"}, {"mode": "backend"}]}))


# usage


async def test_usage_is_that_of_today(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Of everybody, and of each agent, in the time zone of Home Assistant."""
    friendly.anytime(Expect("usage.cost", reply=usage_cost(1_234, 0.56)))
    await add(hass, friendly)
    state = hass.states.get(COST)
    assert state is not None
    assert state.state == "0.56"
    assert state.attributes["unit_of_measurement"] == "USD"
    assert state.attributes["last_reset"] == dt_util.start_of_local_day().isoformat()
    assert value_of(hass, TOKENS) == value_of(hass, AGENT_TOKENS) == "1234"
    when = {"days": 1, "mode": "specific", "timeZone": hass.config.time_zone}
    assert [request.params for request in friendly.received("usage.cost")] == [
        when | {"agentScope": "all"},
        when | {"agentId": "main"},
    ]


async def test_usage_is_read_after_runs_but_not_too_often(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """Many runs are one question, at most every five minutes; without any, every thirty."""
    await add(hass, friendly)
    friendly.anytime(Expect("usage.cost", reply=usage_cost(5, 0.1)))
    for _ in range(3):
        await run(hass, friendly, "start")
        await run(hass, friendly, "end")
    await pass_time(hass, freezer, SETTLING + 1)
    assert asked(friendly) == 1
    await pass_time(hass, freezer, USAGE_SPACING)
    assert asked(friendly) == 2
    assert value_of(hass, TOKENS) == "5"
    await pass_time(hass, freezer, USAGE_SPACING + 1)
    assert asked(friendly) == 2
    await run(hass, friendly, "start")
    await run(hass, friendly, "end")
    await pass_time(hass, freezer, SETTLING + 1)
    assert asked(friendly) == 3
    await pass_time(hass, freezer, USAGE_SPACING + 1)
    assert asked(friendly) == 3
    await pass_time(hass, freezer, USAGE_EVERY - USAGE_SPACING)
    assert asked(friendly) == 4


async def test_zeros_of_a_count_that_begins_are_never_shown(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """It is asked again a little later; a part of the truth is shown while it grows."""
    friendly.anytime(Expect("usage.cost", reply=usage_cost(status="refreshing")))
    await add(hass, friendly)
    assert value_of(hass, TOKENS) == "unknown"
    friendly.anytime(Expect("usage.cost", reply=usage_cost(0, status="partial")))
    await pass_time(hass, freezer, AGAIN + 1)
    assert value_of(hass, TOKENS) == "unknown"
    friendly.anytime(Expect("usage.cost", reply=usage_cost(50, 0.1, status="partial")))
    await pass_time(hass, freezer, AGAIN + 1)
    assert value_of(hass, TOKENS) == "50"
    friendly.anytime(Expect("usage.cost", reply=usage_cost(40, 0.1, status="stale")))
    await pass_time(hass, freezer, AGAIN + 1)
    assert value_of(hass, TOKENS) == "50"
    friendly.anytime(Expect("usage.cost", reply=usage_cost(90, 0.2)))
    await pass_time(hass, freezer, AGAIN + 1)
    assert value_of(hass, TOKENS) == "90"
    assert asked(friendly) == 5
    await pass_time(hass, freezer, AGAIN + 1)
    assert asked(friendly) == 5


async def test_a_count_that_never_ends_is_not_waited_for(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """After some tries the usual interval applies; runs in between change nothing about that."""
    friendly.anytime(Expect("usage.cost", reply=usage_cost(status="refreshing")))
    await add(hass, friendly)
    await run(hass, friendly, "start")
    await run(hass, friendly, "end")
    await pass_time(hass, freezer, SETTLING + 1)
    assert asked(friendly) == 1
    for _ in range(MAX_AGAIN):
        await pass_time(hass, freezer, AGAIN + 1)
    assert asked(friendly) == 1 + MAX_AGAIN
    await pass_time(hass, freezer, AGAIN + 1)
    assert asked(friendly) == 1 + MAX_AGAIN


async def test_a_day_begins_with_nothing_known(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """What yesterday has cost is not today's, also when the clock of the gateway is behind."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-21 22:59:30+00:00")
    friendly.anytime(Expect("usage.cost", reply=usage_cost(90, 0.2, day="2026-11-21")))
    await add(hass, friendly)
    assert value_of(hass, TOKENS) == "90"
    await pass_time(hass, freezer, 31)
    state = hass.states.get(TOKENS)
    assert state is not None
    assert state.state == "unknown"
    assert state.attributes["last_reset"] == "2026-11-22T00:00:00+01:00"
    assert asked(friendly) == 2
    friendly.anytime(Expect("usage.cost", reply=usage_cost(0, 0.0, day="2026-11-22")))
    await pass_time(hass, freezer, AGAIN + 1)
    assert value_of(hass, TOKENS) == "0"


async def test_a_gateway_that_refuses_is_asked_at_the_usual_times(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """Asking again would not change that."""
    friendly.anytime(Expect("usage.cost", reply=Refusal(message="no")))
    await add(hass, friendly)
    await pass_time(hass, freezer, AGAIN + 1)
    assert asked(friendly) == 1
    assert value_of(hass, TOKENS) == "unknown"


# asked for while somebody looks


async def test_the_next_job_is_read_when_jobs_change(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """Several changes in a row are one question."""
    await add(hass, friendly)
    assert value_of(hass, JOB) == "unknown"
    job = {"id": "j", "name": "Trash", "enabled": True, "state": {"nextRunAtMs": 1_795_377_600_000}}
    friendly.anytime(Expect("cron.list", reply={"jobs": [job]}))
    await pass_time(hass, freezer, SETTLING + 1)
    for _ in range(3):
        await friendly.emit(event("cron", {"jobId": "j", "action": "added"}))
    await answered(hass)
    await pass_time(hass, freezer, SETTLING + 1)
    state = hass.states.get(JOB)
    assert state is not None
    assert state.state == "2026-11-22T20:00:00+00:00"
    assert state.attributes["name"] == "Trash"
    assert len(friendly.received("cron.list")) == 2


async def test_what_nobody_looks_at_is_not_asked_for(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """Memory and round trip are disabled at first; then they are read every five minutes."""
    friendly.anytime(
        Expect("system.info", reply={"processMemory": {"rssBytes": 1_048_576 * 512}}),
    )
    await add(hass, friendly)
    await pass_time(hass, freezer, SYSTEM_EVERY + 1)
    assert friendly.received("system.info") == []
    identities = len(friendly.received("gateway.identity.get"))
    await enable(hass, MEMORY, TRIP)
    assert value_of(hass, MEMORY) == "512.0"
    assert float(value_of(hass, TRIP)) >= 0
    assert len(friendly.received("system.info")) == 1
    assert len(friendly.received("gateway.identity.get")) == identities + 1
    await pass_time(hass, freezer, SYSTEM_EVERY + 1)
    assert len(friendly.received("system.info")) == 2
    er.async_get(hass).async_update_entity(MEMORY, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done()
    await pass_time(hass, freezer, SYSTEM_EVERY + 1)
    assert len(friendly.received("system.info")) == 2


async def test_what_is_too_long_for_a_state_is_cut(
    hass: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Home Assistant would log all of it, with every change."""
    endless = "long " * 1_000
    hello = hello_ok(scopes=("operator.read", "operator.write"))
    hello["server"]["version"] = endless
    friendly.script(Expect("connect", reply=hello))
    introduce(friendly, details={"main": {"model": {"primary": endless}}})
    job = {"id": "j", "name": endless, "state": {"nextRunAtMs": 253_402_300_799_000}}
    friendly.anytime(Expect("cron.list", reply={"jobs": [job]}))
    await add(hass, friendly)
    for entity_id in (f"sensor.{NAME}_gateway_version", MODEL):
        assert value_of(hass, entity_id).startswith("long")
    for state in hass.states.async_all():
        assert endless not in str(state.as_dict())
    assert endless not in "".join(each.message for each in caplog.records if each.levelno > 20)


# the connection


async def test_without_a_connection_nothing_is_shown_and_nothing_asked(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """All of it is read again at the next one."""
    entry = await add(hass, friendly)
    await run(hass, friendly, "start")
    await lose(hass, friendly)
    for entity_id in (RUNS, TOKENS, JOB, HEALTH, UPDATE, ACTIVITY, MODEL, AGENT_TOKENS):
        assert value_of(hass, entity_id) == "unavailable", entity_id
    await friendly.start()
    await try_now(hass, entry, "ready")
    await answered(hass)
    assert value_of(hass, RUNS) == "0"
    assert asked(friendly) == 2
    assert len(friendly.received("cron.list")) == 2


async def test_a_question_of_the_connection_before_is_asked_again(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It is not waited out like an answer."""
    friendly.anytime(
        Expect("usage.cost", reply=None),
        Expect("sessions.list", reply=None),
        Expect("cron.list", reply=None),
    )
    entry = await add_entry(hass, friendly)
    await friendly.wait_for_request("usage.cost")
    friendly.anytime(
        Expect("usage.cost", reply=usage_cost(3, 0.1)),
        Expect("sessions.list", reply={"sessions": []}),
        Expect("cron.list", reply={"jobs": []}),
    )
    async with state_change(hass, is_(TOKENS, "3")):
        await reconnect(
            hass,
            friendly,
            entry,
            hello_ok(scopes=("operator.read", "operator.write")),
            "ready",
        )


async def test_no_timer_is_left_when_the_entry_is_unloaded(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """The test kit fails on timers that are left over."""
    row = {"key": "agent:main:main", "hasActiveRun": True}
    friendly.anytime(Expect("sessions.list", reply={"sessions": [row]}))
    friendly.anytime(Expect("usage.cost", reply=usage_cost(status="refreshing")))
    entry = await add(hass, friendly)
    assert await hass.config_entries.async_unload(entry.entry_id)
    count = len(friendly.requests)
    await pass_time(hass, freezer, USAGE_EVERY + 1)
    assert len(friendly.requests) == count


async def test_the_model_is_the_chosen_one_else_that_of_the_gateway(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It follows the list of agents."""
    entry = make_entry(hass, friendly, options={"main": {"model": "demo/chosen"}})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await answered(hass)
    assert value_of(hass, MODEL) == "demo/chosen"


async def test_another_choice_of_model_is_shown_at_once(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The gateway tells nothing then."""
    introduce(friendly, details={"main": {"model": {"primary": "demo/first"}}})
    entry = await add(hass, friendly)
    [subentry] = entry.subentries.values()
    for model, shown in (("demo/chosen", "demo/chosen"), (None, "demo/first")):
        data = {key: value for key, value in subentry.data.items() if key != "model"}
        hass.config_entries.async_update_subentry(
            entry, subentry, data=data | ({"model": model} if model else {})
        )
        await hass.async_block_till_done()
        assert value_of(hass, MODEL) == shown


async def test_without_a_choice_it_is_that_of_the_gateway(
    hass: HomeAssistant, friendly: ScriptedGateway, freezer: FrozenDateTimeFactory
) -> None:
    """It is read again when the configuration of the gateway changes."""
    introduce(friendly, details={"main": {"model": {"primary": "demo/first"}}})
    await add(hass, friendly)
    assert value_of(hass, MODEL) == "demo/first"
    introduce(friendly, details={"main": {"model": {"primary": "demo/second"}}})
    await friendly.emit(event("config.changed", {}))
    await answered(hass)
    await pass_time(hass, freezer, agents.SETTLING + 1)
    assert value_of(hass, MODEL) == "demo/second"


async def test_the_times_of_the_last_turn_are_shown(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """They stay when the connection goes: they are about what was."""
    await add(hass, friendly)
    assert value_of(hass, FIRST_TEXT) == value_of(hass, END) == "unknown"
    friendly.script(Expect("agent", reply=accepted(), emit=answered_by_agent("Hello.")))
    await ask(hass)
    await lose(hass, friendly)
    assert 0 <= float(value_of(hass, FIRST_TEXT)) <= float(value_of(hass, END)) < 10


async def test_a_turn_that_was_not_answered_changes_no_times(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """A refusal, and an answer that comes later, say nothing about how fast answers are."""
    entry = await add(hass, friendly)
    agent = next(iter(entry.runtime_data.agents.values()))
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), failed(), response_failed()])
    )
    await ask(hass)
    assert agent.last_timings == NO_TIMES
    assert value_of(hass, FIRST_TEXT) == value_of(hass, END) == "unknown"

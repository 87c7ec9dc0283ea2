"""What an entry remembers about sessions and satellites."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
import stat
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, instance_id
from homeassistant.util import dt as dt_util
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.openclaw_voice.assist import memory as memory_module
from custom_components.openclaw_voice.assist.memory import (
    SAVE_DELAY,
    Memory,
    NotOurSessionError,
    OtherAgentsSessionError,
)
from custom_components.openclaw_voice.assist.session_key import (
    MAX_LENGTH,
    SessionKind,
    SessionScope,
    home_of,
)
from custom_components.openclaw_voice.const import DOMAIN

STORAGE_KEY = "openclaw_voice.memory.entry-1"
TALK = SessionScope(kind=SessionKind.CONVERSATION, value="talk")
PUCK = SessionScope(kind=SessionKind.SATELLITE, value="assist_satellite.puck")
ASIDE = SessionScope(kind=SessionKind.SATELLITE, value="assist_satellite.puck", is_aside=True)
SATELLITE = "assist_satellite.puck"


@pytest.fixture
async def prefix(hass: HomeAssistant) -> str:
    """Return how keys of the agent main begin."""
    return f"agent:main:homeassistant:{home_of(await instance_id.async_get(hass))}"


@pytest.fixture
async def memory(hass: HomeAssistant) -> AsyncGenerator[Memory]:
    """Return a memory without anything in it."""
    made = await load(hass)
    yield made
    await made.async_stop()


async def load(hass: HomeAssistant) -> Memory:
    """Return the memory as it is after a restart."""
    made = Memory(hass, "entry-1")
    await made.async_load()
    return made


async def again(hass: HomeAssistant, memory: Memory) -> Memory:
    """Stop a memory, and return the one that follows it."""
    await memory.async_stop()
    return await load(hass)


def stored(hass_storage: dict[str, Any], data: object, version: int = 1) -> None:
    """Put something where the memory is stored."""
    hass_storage[STORAGE_KEY] = {
        "version": version,
        "minor_version": 1,
        "key": STORAGE_KEY,
        "data": data,
    }


async def test_a_scope_has_its_own_session(memory: Memory, prefix: str) -> None:
    """As long as nobody starts afresh; nothing is written for it."""
    assert memory.key_of("main", TALK) == f"{prefix}:conversation:talk"
    assert memory.key_of("main", PUCK) == f"{prefix}:satellite:assist_satellite.puck"
    assert memory.key_of("main", ASIDE) == f"{prefix}:satellite:assist_satellite.puck:aside"


async def test_a_new_conversation_has_another_session(memory: Memory, prefix: str) -> None:
    """Of this scope and agent only; the side session follows."""
    key = f"{prefix}:satellite:assist_satellite.puck"
    assert memory.new_conversation("main", PUCK) == (key, f"{key}:1")
    assert memory.new_conversation("main", ASIDE) == (f"{key}:1", f"{key}:2")
    assert memory.key_of("main", PUCK) == f"{key}:2"
    assert memory.key_of("main", ASIDE) == f"{key}:2:aside"
    assert memory.key_of("main", TALK) == f"{prefix}:conversation:talk"
    assert memory.key_of("other", PUCK).endswith("puck")


async def test_a_session_is_continued_until_the_next_new_one(memory: Memory, prefix: str) -> None:
    """Even in another scope; then it goes on with generations never used."""
    talk = memory.key_of("main", TALK)
    _, first = memory.new_conversation("main", PUCK)
    memory.continue_session("main", PUCK, f" {talk.upper()} ")
    assert memory.key_of("main", PUCK) == talk
    assert memory.key_of("main", ASIDE) == f"{talk}:aside"
    old, new = memory.new_conversation("main", PUCK)
    assert (old, new) == (talk, f"{prefix}:satellite:assist_satellite.puck:2")
    assert new != first


async def test_continuing_ones_own_session_ends_continuing(memory: Memory) -> None:
    """The way back from a continued session to the present one."""
    memory.continue_session("main", PUCK, memory.key_of("main", TALK))
    own = f"{memory.key_of('main', TALK).rpartition('conversation')[0]}satellite:{PUCK.value}"
    memory.continue_session("main", ASIDE, own)
    assert memory.key_of("main", PUCK) == own
    assert memory.new_conversation("main", PUCK) == (own, f"{own}:1")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "agent:main:main",
        "agent:main:homeassistant:00000000:conversation:talk",
        "{prefix}:conversation",
        "{prefix}:conversation:",
        "{prefix}:cron:nightly",
        "{prefix}:conversation:talk\nagent",
        "{prefix}:conversation:" + "x" * MAX_LENGTH,
    ],
)
async def test_only_sessions_of_this_home_are_continued(
    memory: Memory, prefix: str, key: str
) -> None:
    """Others belong to somebody else, or were never made by us."""
    with pytest.raises(NotOurSessionError):
        memory.continue_session("main", PUCK, key.format(prefix=prefix))
    assert memory.key_of("main", PUCK).endswith("puck")


async def test_only_sessions_of_the_same_agent_are_continued(memory: Memory) -> None:
    """The gateway would answer with the other one."""
    with pytest.raises(OtherAgentsSessionError):
        memory.continue_session("main", PUCK, memory.key_of("other", PUCK))
    memory.continue_session("Main", PUCK, memory.key_of("main", TALK))


async def test_side_sessions_of_long_keys_are_short_enough(memory: Memory) -> None:
    """Agents may have long ids."""
    agent = "a" * 64
    long = memory.key_of(agent, SessionScope(kind=SessionKind.CONVERSATION, value="Ä" * 50))
    memory.continue_session(agent, PUCK, long)
    aside = memory.key_of(agent, ASIDE)
    assert memory.key_of(agent, PUCK) == long
    assert aside != long
    assert len(aside) <= MAX_LENGTH
    assert aside.split(":")[:5] == long.split(":")[:5]


async def test_everything_outlives_a_restart(hass: HomeAssistant, memory: Memory) -> None:
    """Generations, continued sessions, agents of satellites."""
    memory.new_conversation("main", TALK)
    memory.continue_session("main", PUCK, memory.key_of("main", TALK))
    memory.choose_agent(SATELLITE, "subentry-1")
    before = [memory.key_of("main", scope) for scope in (TALK, PUCK, ASIDE)]
    memory = await again(hass, memory)
    assert [memory.key_of("main", scope) for scope in (TALK, PUCK, ASIDE)] == before
    assert memory.agent_for(SATELLITE) == "subentry-1"


async def test_a_change_is_written_soon(
    hass: HomeAssistant,
    memory: Memory,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Not at once: several come together; reading writes nothing."""
    memory.key_of("main", PUCK)
    memory.new_conversation("main", PUCK)
    assert STORAGE_KEY not in hass_storage
    freezer.tick(timedelta(seconds=SAVE_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    assert hass_storage[STORAGE_KEY]["data"]["sessions"]["satellite"][0][1:] == [1, None]


async def test_a_change_is_written_when_home_assistant_stops(
    hass: HomeAssistant, memory: Memory, hass_storage: dict[str, Any]
) -> None:
    """However soon that is."""
    memory.new_conversation("main", PUCK)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert STORAGE_KEY in hass_storage


async def test_nothing_is_written_after_the_end(
    hass: HomeAssistant, memory: Memory, hass_storage: dict[str, Any]
) -> None:
    """Nor at the end when nothing has changed: the file of a removed entry does not come back."""
    await memory.async_stop()
    assert STORAGE_KEY not in hass_storage
    memory.choose_agent(SATELLITE, "subentry-1")
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert STORAGE_KEY not in hass_storage


async def test_it_goes_with_its_entry(
    hass: HomeAssistant, memory: Memory, hass_storage: dict[str, Any]
) -> None:
    """Only that of the entry."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="entry-1")
    entry.add_to_hass(hass)
    other = Memory(hass, "entry-2")
    await other.async_load()
    for kept in (memory, other):
        kept.new_conversation("main", PUCK)
        await kept.async_stop()
    assert STORAGE_KEY in hass_storage
    await hass.config_entries.async_remove("entry-1")
    assert STORAGE_KEY not in hass_storage
    assert "openclaw_voice.memory.entry-2" in hass_storage


async def test_nobody_is_named_in_what_is_stored(
    memory: Memory, hass_storage: dict[str, Any]
) -> None:
    """People and rooms stand there as they do on the gateway: hashed."""
    memory.new_conversation("main", SessionScope(kind=SessionKind.PERSON, value="anna"))
    memory.new_conversation("main", SessionScope(kind=SessionKind.AREA, value="kitchen"))
    await memory.async_stop()
    text = str(hass_storage[STORAGE_KEY])
    assert "anna" not in text
    assert "kitchen" not in text


@pytest.mark.parametrize("hass_storage", [None], ids=["on the disk"])
async def test_nobody_else_may_read_the_file(hass: HomeAssistant, tmp_path: Path) -> None:
    """The fixture that keeps storage in memory is taken away for this."""
    hass.config.config_dir = str(tmp_path)
    memory = await load(hass)
    memory.new_conversation("main", PUCK)
    await memory.async_stop()
    mode = (tmp_path / ".storage" / STORAGE_KEY).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


KEPT = {"floors": {"person": 3}, "sessions": {}, "agents": []}


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (KEPT, 2),
        (KEPT, 0),
        ([], 1),
        ("text", 1),
        ({}, 1),
        (KEPT | {"floors": {"pet": 1}}, 1),
        (KEPT | {"floors": {"person": -1}}, 1),
        (KEPT | {"floors": {"person": "3"}}, 1),
        (KEPT | {"floors": {"person": True}}, 1),
        (KEPT | {"sessions": {"person": [["key", 1]]}}, 1),
        (KEPT | {"sessions": {"person": [["key", 1, 2]]}}, 1),
        (KEPT | {"sessions": {"person": [[1, 1, None]]}}, 1),
        (KEPT | {"sessions": {"person": 5}}, 1),
        (KEPT | {"agents": [["a", None]]}, 1),
        (KEPT | {"agents": 1}, 1),
    ],
)
async def test_unreadable_memory_is_given_up(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    data: object,
    version: int,
) -> None:
    """Everything begins afresh, once: an old session that was ended must not come back."""
    stored(hass_storage, data, version)
    memory = await load(hass)
    assert "memory is unreadable" in caplog.text
    key = memory.key_of("main", PUCK)
    assert int(key.rpartition(":")[2]) == pytest.approx(dt_util.utcnow().timestamp(), abs=60)
    assert memory.agent_for(SATELLITE) is None
    memory = await again(hass, memory)
    assert memory.key_of("main", PUCK) == key
    await memory.async_stop()


@pytest.mark.parametrize("hass_storage", [None], ids=["on the disk"])
@pytest.mark.parametrize("content", ["half a fi", "{}"])
async def test_a_broken_file_is_given_up(hass: HomeAssistant, tmp_path: Path, content: str) -> None:
    """Home Assistant puts it aside and says so; sessions that were ended do not come back."""
    hass.config.config_dir = str(tmp_path)
    path = tmp_path / ".storage" / STORAGE_KEY
    path.parent.mkdir()
    path.write_text(content)
    memory = await load(hass)
    key = memory.key_of("main", PUCK)
    assert int(key.rpartition(":")[2]) == pytest.approx(dt_util.utcnow().timestamp(), abs=60)
    memory = await again(hass, memory)
    assert memory.key_of("main", PUCK) == key
    await memory.async_stop()


async def test_a_floor_is_kept(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    """The least generation of every scope of its kind that is not known."""
    stored(hass_storage, KEPT)
    memory = await load(hass)
    person = SessionScope(kind=SessionKind.PERSON, value="anna")
    assert memory.key_of("main", person).endswith(":3")
    assert memory.key_of("main", PUCK).endswith("puck")
    assert memory.new_conversation("main", person)[1].endswith(":4")
    await memory.async_stop()


def scope(number: int, kind: SessionKind = SessionKind.SATELLITE) -> SessionScope:
    """Return one of many scopes."""
    return SessionScope(kind=kind, value=f"scope-{number}")


async def test_the_scopes_used_last_are_remembered(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others keep their session; only what was never started afresh begins anew with them."""
    monkeypatch.setattr(memory_module, "MAX_SCOPES", 2)
    memory.new_conversation("main", scope(1))
    first, second = (memory.new_conversation("main", scope(1))[1], memory.key_of("main", scope(2)))
    memory.new_conversation("main", scope(2))
    memory.key_of("main", scope(1))
    memory.new_conversation("main", scope(3))
    assert memory.key_of("main", scope(1)) == first
    assert memory.key_of("main", scope(2)) == f"{second}:1"
    assert memory.key_of("main", scope(4)).endswith("scope-4:1")
    other_kind = scope(4, SessionKind.CONVERSATION)
    assert memory.key_of("main", other_kind).endswith("scope-4")


async def test_a_floor_never_sinks(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten later may have begun afresh less often."""
    monkeypatch.setattr(memory_module, "MAX_SCOPES", 1)
    for _ in range(3):
        _, newest = memory.new_conversation("main", scope(1))
    memory.new_conversation("main", scope(2))
    memory.new_conversation("main", scope(3))
    assert memory.key_of("main", scope(1)) == newest


async def test_what_was_used_last_outlives_a_restart(
    hass: HomeAssistant, memory: Memory, hass_storage: dict[str, Any]
) -> None:
    """Using a session is no change worth a write of its own; the end of the entry writes it."""
    memory.new_conversation("main", scope(1))
    memory.new_conversation("main", scope(2))
    memory = await again(hass, memory)
    memory.key_of("main", scope(1))
    await memory.async_stop()
    rows = hass_storage[STORAGE_KEY]["data"]["sessions"]["satellite"]
    assert [base.rpartition(":")[2] for base, _, _ in rows] == ["scope-2", "scope-1"]


async def test_a_forgotten_continued_session_does_not_bring_back_the_own_one(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was left for another; a fresh one says the least."""
    monkeypatch.setattr(memory_module, "MAX_SCOPES", 1)
    own = memory.key_of("main", scope(1))
    memory.continue_session("main", scope(1), memory.key_of("main", TALK))
    memory.new_conversation("main", scope(2))
    assert memory.key_of("main", scope(1)) == f"{own}:1"


actions = st.lists(
    st.tuples(st.integers(min_value=0, max_value=5), st.sampled_from(["new", "use", "restart"])),
    max_size=40,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions)
def test_an_ended_session_never_comes_back(
    hass: HomeAssistant, actions: list[tuple[int, str]]
) -> None:
    """Whatever is forgotten in between, and over restarts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_module, "MAX_SCOPES", 2)
        memory = fresh(hass)
        ended: set[str] = set()
        for number, action in actions:
            if action == "new":
                old, new = memory.new_conversation("main", scope(number))
                ended.add(old)
                assert new not in ended
            elif action == "restart":
                memory = fresh(hass, memory)
            assert memory.key_of("main", scope(number)) not in ended


def fresh(hass: HomeAssistant, before: Memory | None = None) -> Memory:
    """Return a memory that writes nothing, with what another one would have stored."""
    memory = Memory(hass, "entry-1")
    memory._instance_id = "made-up"
    memory._is_stopped = True
    if before is not None:
        memory._read(before._as_data())
    return memory


async def test_a_satellite_has_the_agent_chosen_for_it(memory: Memory) -> None:
    """Until none is chosen any more."""
    assert memory.agent_for(SATELLITE) is None
    memory.choose_agent(SATELLITE, "subentry-1")
    memory.choose_agent("assist_satellite.other", "subentry-2")
    assert memory.agent_for(SATELLITE) == "subentry-1"
    memory.choose_agent(SATELLITE, None)
    assert memory.agent_for(SATELLITE) is None
    assert memory.agent_for("assist_satellite.other") == "subentry-2"


async def test_a_renamed_satellite_keeps_its_agent(
    memory: Memory, entity_registry: er.EntityRegistry
) -> None:
    """Also when it came to the registry only after the choice."""
    memory.choose_agent(SATELLITE, "subentry-1")
    entity_registry.async_get_or_create(
        "assist_satellite", "wyoming", "puck", suggested_object_id="puck"
    )
    assert memory.agent_for(SATELLITE) == "subentry-1"
    memory.choose_agent(SATELLITE, "subentry-2")
    entity_registry.async_update_entity(SATELLITE, new_entity_id="assist_satellite.jarvis")
    assert memory.agent_for("assist_satellite.jarvis") == "subentry-2"
    assert memory.agent_for(SATELLITE) is None


async def test_the_number_of_satellites_is_bounded(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice made longest ago goes first."""
    monkeypatch.setattr(memory_module, "MAX_SATELLITES", 2)
    for number in range(3):
        memory.choose_agent(f"assist_satellite.s{number}", "subentry-1")
    known = [memory.agent_for(f"assist_satellite.s{number}") for number in range(3)]
    assert known == [None, "subentry-1", "subentry-1"]


@pytest.mark.parametrize(
    "change",
    [
        lambda memory: memory.new_conversation("main", PUCK),
        lambda memory: memory.continue_session("main", PUCK, memory.key_of("main", TALK)),
        lambda memory: memory.choose_agent(SATELLITE, "subentry-1"),
    ],
)
async def test_listeners_hear_of_changes(
    memory: Memory, change: Callable[[Memory], object]
) -> None:
    """Until they stop listening; asking changes nothing, nor does a choice that is there."""
    heard: list[str | None] = []
    stop = memory.subscribe(lambda: heard.append(memory.agent_for(SATELLITE)))
    memory.key_of("main", PUCK)
    memory.choose_agent(SATELLITE, memory.agent_for(SATELLITE))
    assert not heard
    change(memory)
    assert heard == [memory.agent_for(SATELLITE)]
    stop()
    change(memory)
    memory.new_conversation("main", TALK)
    assert len(heard) == 1

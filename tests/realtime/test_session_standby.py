"""A satellite that waits for its wake word, and one that hears its own loudspeaker."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.openclaw_voice.realtime import server_events as say
from custom_components.openclaw_voice.realtime.backend import (
    BackendError,
    BackendName,
    OutputAudio,
    TurnDetection,
    TurnMode,
)
from custom_components.openclaw_voice.realtime.client_events import (
    AudioCommit,
    PlaybackDone,
    ResponseCancel,
    ResponseCreate,
    SatelliteState,
    Steer,
    ToolResult,
)
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session_backend import MAX_NOTES, SessionBackend
from custom_components.openclaw_voice.realtime.session_config import (
    AudioConfig,
    Feature,
    SatelliteInfo,
    SessionMode,
)
from custom_components.openclaw_voice.realtime.session_state import SessionState
from custom_components.openclaw_voice.realtime.session_tasks import SessionTasks
from custom_components.openclaw_voice.realtime.standby_backend import start_standby

from .scripted import ScriptedBackend
from .session_bench import SECOND, WHOLE, Bench

SPEAKS = b"\1\1"
NOBODY = replace(WHOLE, agent_id="", agent_name="")


def standby() -> Bench:
    """Return a session in standby."""
    return Bench(start=start_standby, info=NOBODY, mode=SessionMode.STANDBY, begin=60.0)


async def test_a_satellite_stands_by() -> None:
    """It can be told something, and nobody answers what it says."""
    bench = standby()
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        ready = bench.channel.last(say.SessionReady)
        assert say.build(ready)["backend"] == "none"
        assert (ready.agent, ready.agent_name) == (None, None)
        announcing = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.AudioDone)
        assert bench.is_in(SessionState.SPEAKING)
        bench.session.receive(PlaybackDone())
        assert await announcing
        bench.session.hear(SPEAKS)
        for event in (AudioCommit(), ResponseCreate(), ResponseCancel(), ToolResult("c", "")):
            bench.session.receive(event)
        bench.session.note("It was asked about dinner.")
        bench.session.receive(Steer("faster"))
        await bench.channel.until(say.Error)
        assert bench.channel.last(say.Error).reason is Reason.NO_BACKEND
        bench.session.receive(SatelliteState(volume=0.5))
        assert bench.session.satellite_state.volume == 0.5
        bench.session.set_controls(muted=True)
        assert bench.channel.types[-1] == "satellite.set"
        assert bench.session.is_standby
    assert bench.summary is not None
    assert (bench.summary.backend, bench.summary.turns) == ("none", 0)


async def test_standby_has_no_limit() -> None:
    """Night after night."""
    bench = standby()
    bench.now = 0.0
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.now = 1_000_000.0
        bench.session.receive(SatelliteState())
        bench.session._watch.look()
        for _ in range(10):
            await asyncio.sleep(0)
        assert bench.channel.reason is None


async def test_a_backend_that_stands_by_ends_by_itself() -> None:
    """When it is closed."""
    backend, _ = await start_standby()
    await backend.close()
    assert [event async for event in backend.events()] == []
    backend.played("m")
    backend.drained()


def spoken(
    detection: TurnDetection,
    *features: Feature,
    half_duplex: bool | None = None,
    satellite_id: str | None = "k",
    backend: BackendName = BackendName.GATEWAY,
) -> Bench:
    """Return a session with a speech model, on a satellite that hears itself."""
    bench = Bench(
        satellite_id=satellite_id,
        audio=AudioConfig(sample_rate=16_000, max_ahead=0.4),
        turn_detection=detection,
        satellite=SatelliteInfo(features=frozenset(features)),
        half_duplex=half_duplex,
    )
    bench.backend.info = replace(bench.backend.info, name=backend)
    bench.now = 1.0
    return bench


@pytest.mark.parametrize("backend", [BackendName.GATEWAY, BackendName.ASSIST])
async def test_a_satellite_does_not_interrupt_itself(backend: BackendName) -> None:
    """What answers hears silence while it speaks, and as long as the room sounds."""
    bench = spoken(TurnDetection(), backend=backend)
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        assert not bench.channel.last(say.SessionReady).capabilities.barge_in
        bench.session.hear(SPEAKS)
        bench.backend.tell(OutputAudio(turn_id="t", pcm=bytes(6_400)))
        await bench.state(SessionState.SPEAKING)
        bench.session.hear(SPEAKS)
        bench.now = 1.3
        bench.session.receive(PlaybackDone("t"))
        bench.session.hear(SPEAKS)
        bench.now = 1.6
        bench.session.hear(SPEAKS)
        assert bench.backend.heard == SPEAKS + bytes(4) + SPEAKS


@pytest.mark.parametrize(
    "bench_of",
    [
        lambda: spoken(TurnDetection(), Feature.ECHO_CANCELLATION),
        lambda: spoken(TurnDetection(), half_duplex=False),
        lambda: spoken(TurnDetection(mode=TurnMode.MANUAL)),
        lambda: spoken(TurnDetection(), satellite_id=None),
    ],
)
async def test_a_satellite_may_be_heard_over_its_answers(bench_of: type[Bench]) -> None:
    """It cancels echo, it says so, somebody holds a button, or it is of VoiceClaw's time."""
    bench = bench_of()
    async with bench.running():
        bench.backend.tell(OutputAudio(turn_id="t", pcm=bytes(6_400)))
        await bench.state(SessionState.SPEAKING)
        assert bench.channel.last(say.SessionReady).capabilities.barge_in
        bench.session.hear(SPEAKS)
        assert bench.backend.heard == SPEAKS


async def test_who_holds_a_button_is_heard_over_an_announcement() -> None:
    """They mean it."""
    bench = spoken(TurnDetection(mode=TurnMode.MANUAL))
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        announcing = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        await bench.channel.until(say.Announcement)
        bench.session.hear(SPEAKS)
        assert bench.backend.heard == SPEAKS
        bench.session.receive(ResponseCancel())
        assert not await announcing


async def test_a_satellite_may_want_to_be_deaf() -> None:
    """Although it cancels echo."""
    bench = spoken(TurnDetection(), Feature.ECHO_CANCELLATION, half_duplex=True)
    async with bench.running():
        bench.backend.tell(OutputAudio(turn_id="t", pcm=bytes(6_400)))
        await bench.state(SessionState.SPEAKING)
        bench.session.hear(SPEAKS)
        assert bench.backend.heard == bytes(2)


async def test_the_agent_is_told_what_it_has_to_know() -> None:
    """Also what was noted before there was a backend; the last of it."""
    bench = Bench()
    for number in range(MAX_NOTES + 1):
        bench.session.note(str(number))
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        bench.session.note("more")
    notes = [text for _, text in bench.backend.calls]
    assert notes == [*map(str, range(1, MAX_NOTES + 1)), "more"]


async def test_nothing_reaches_a_backend_that_has_not_started() -> None:
    """And what cannot start says so."""
    backend = ScriptedBackend()
    backend.fails_to_start = "no_backend"

    async def start() -> tuple[ScriptedBackend, object]:
        return backend, await backend.start()

    slot = SessionBackend(start)  # type: ignore[arg-type]  # it does not come so far
    slot.interrupt(0.0)
    slot.played("m")
    slot.drained()
    await slot.tool_result("c", "")
    with pytest.raises(BackendError, match="no_backend"):
        await slot.start(1.0)
    await slot.close(1.0)
    assert backend.calls == []


async def test_a_session_without_tasks_stops() -> None:
    """There is nothing to wait for."""
    failures: list[Exception] = []
    await SessionTasks("s", failures.append).stop()
    assert failures == []


async def test_an_announcement_waits_until_the_session_has_begun() -> None:
    """The satellite knows nothing of it before."""
    bench = Bench()
    bench.backend.starts_when.clear()
    async with bench.running():
        announcing = asyncio.create_task(bench.session.announce("Dinner", SECOND, 16_000))
        for _ in range(5):
            await asyncio.sleep(0)
        assert bench.channel.types == []
        bench.backend.starts_when.set()
        await bench.channel.until(say.AudioDone)
        assert bench.channel.types[:2] == ["session.ready", "announcement"]
        bench.session.receive(PlaybackDone())
        assert await announcing

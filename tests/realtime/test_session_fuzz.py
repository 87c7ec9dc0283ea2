"""Whatever comes in whatever order: a session fails over nothing, and finds back to rest."""

import asyncio
import random

import pytest

from custom_components.openclaw_voice.realtime import server_events as say
from custom_components.openclaw_voice.realtime.backend import (
    Activity,
    ActivityCancelled,
    BackendError,
    BackendEvent,
    ClientToolCall,
    OutputAudio,
    OutputCleared,
    OutputEnded,
    Problem,
    ResponseStarted,
    Rotated,
    Rotating,
    Speaker,
    SpeechEnded,
    SpeechNoticed,
    Transcript,
    TurnEnded,
    TurnStarted,
    UsageReported,
)
from custom_components.openclaw_voice.realtime.client_events import (
    AudioAppend,
    AudioCommit,
    ClientEvent,
    PlaybackDone,
    ResponseCancel,
    ResponseCreate,
    SatelliteState,
    Steer,
    ToolResult,
)
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session_config import AudioConfig
from custom_components.openclaw_voice.realtime.session_state import SessionState

from .session_bench import Bench

STEPS = 60


def told(chance: random.Random) -> BackendEvent:
    """Return something that a backend may tell."""
    turn_id = f"turn-{chance.randrange(3)}"
    speaker = chance.choice(list(Speaker))
    return chance.choice(
        [
            SpeechNoticed(),
            TurnStarted(turn_id=turn_id, interrupts=chance.random() < 0.5),
            TurnEnded(turn_id=turn_id),
            SpeechEnded(turn_id=turn_id),
            Transcript(speaker=speaker, text="some words", is_final=chance.random() < 0.5),
            ResponseStarted(turn_id=turn_id),
            OutputAudio(turn_id=turn_id, pcm=bytes(chance.randrange(5_000) * 2), mark="m"),
            OutputAudio(turn_id=turn_id, pcm=b"", mark="n"),
            OutputEnded(turn_id=turn_id),
            OutputCleared(reason="reset"),
            Activity(call_id="c", summary="Running", is_final=chance.random() < 0.5),
            ActivityCancelled(call_ids=("c",)),
            ClientToolCall(call_id="d", name="lamp", arguments="{}"),
            Rotating(),
            Rotated(),
            UsageReported(counts={"total_tokens": 1}),
            Problem(error=BackendError("pipeline_error")),
        ]
    )


def sent(chance: random.Random) -> ClientEvent:
    """Return something that a satellite may send."""
    return chance.choice(
        [
            AudioAppend(bytes(chance.randrange(3_000))),
            AudioCommit(),
            PlaybackDone(chance.choice([None, "turn-0", "turn-1"])),
            ResponseCancel(),
            ResponseCreate(),
            SatelliteState(volume=chance.random()),
            Steer("faster"),
            ToolResult("d", "done"),
        ]
    )


@pytest.mark.parametrize("seed", range(30))
async def test_a_session_survives_everything(seed: int) -> None:
    """Nothing is a mistake of ours, and when it is over, the session rests."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    bench = Bench(audio=AudioConfig(sample_rate=16_000, max_ahead=chance.choice([0.0, 0.1])))
    bench.now = 1.0
    tasks: list[asyncio.Task[object]] = []
    async with bench.running():
        await bench.channel.until(say.SessionReady)
        for _ in range(STEPS):
            match chance.randrange(10):
                case 0:
                    announcing = bench.session.announce("Dinner", bytes(3_200), 16_000)
                    tasks.append(asyncio.create_task(announcing))
                case 1:
                    bench.session.hear_answer()
                case 2:
                    bench.now += chance.random() / 4
                case 3 | 4 | 5:
                    bench.session.receive(sent(chance))
                case _:
                    bench.backend.tell(told(chance))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        while bench.session.state is SessionState.SPEAKING:
            # It lasts no longer than what is heard.
            assert bench.session._output.is_busy
            bench.now += 0.2
            bench.session._output._step()
            await asyncio.sleep(0)
        bench.session.stop_listening()
        # Somebody speaks, nothing is understood, and everything was heard.
        bench.backend.tell(
            Activity(call_id="c", summary="Done", is_final=True),
            TurnStarted(turn_id="last", interrupts=True),
            SpeechEnded(turn_id="last"),
            TurnEnded(turn_id="last"),
        )
        await bench.state(SessionState.IDLE)
        bench.session.receive(PlaybackDone())
        assert bench.is_in(SessionState.IDLE)
        assert bench.channel.reason is None
    await asyncio.gather(*tasks, return_exceptions=True)
    errors = {event.reason for event in bench.channel.events if isinstance(event, say.Error)}
    assert errors <= {Reason.PIPELINE_ERROR, Reason.RATE_LIMITED}
    assert not bench.session.is_announcing
    assert bench.channel.reason is Reason.STOPPED

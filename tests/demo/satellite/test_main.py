"""Tests of the command line of the reference client."""

import asyncio
from collections.abc import Awaitable, Callable
import io
import json
import os
from pathlib import Path
import struct

import pytest

from custom_components.openclaw_voice.realtime import server_events as events
from custom_components.openclaw_voice.realtime.backend import Speaker
from custom_components.openclaw_voice.realtime.client_events import (
    AudioCommit,
    PlaybackDone,
    ResponseCancel,
    SatelliteState,
    SessionEnd,
)
from custom_components.openclaw_voice.realtime.protocol import Reason
from custom_components.openclaw_voice.realtime.session_config import SessionMode
from demo.satellite import main as satellite
from demo.satellite.main import main, read_wav, write_wav
from demo.satellite.microphone import Questions
from demo.satellite.protocol import Options
from demo.satellite.screen import Screen
from demo.satellite.speaker import Recording

from .endpoint import TOKEN, UNTOUCHED, Peer, endpoint

QUESTION = struct.pack("<h", 9000) * 1500
ANSWER = struct.pack("<640h", *range(640))


@pytest.fixture
def question(tmp_path: Path) -> Path:
    """Return a file with a question."""
    path = tmp_path / "question.wav"
    write_wav(path, 24000, QUESTION)
    return path


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> None:
    """Have a token."""
    monkeypatch.setenv("HASS_TOKEN", TOKEN)


async def one_turn(peer: Peer) -> None:
    """Answer one question."""
    assert peer.config.audio.sample_rate == 24000
    await peer.ready()
    await peer.hear(QUESTION)
    await peer.send(
        events.TurnStarted(turn_id="t"),
        events.TranscriptDone(text="Hi", speaker=Speaker.USER),
        ANSWER,
        events.AudioDone(turn_id="t"),
        events.TurnEnded(turn_id="t"),
    )
    assert await peer.next_event() == PlaybackDone("t")
    assert await peer.next_event() == SessionEnd()
    await peer.end(Reason.CLIENT_ENDED)


async def run_main(script: Callable[[Peer], Awaitable[None]], *arguments: str) -> int:
    """Run the program in a thread, against a script."""
    async with endpoint(script) as address:
        return await asyncio.to_thread(main, [address, *arguments])


async def test_a_question_from_a_file_becomes_an_answer_in_a_file(
    question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report alone goes to stdout."""
    answer = tmp_path / "answer.wav"
    code = await run_main(one_turn, "--in", str(question), "--out", str(answer), "--json")
    shown = capsys.readouterr()
    assert code == 0
    assert read_wav(answer) == (24000, ANSWER)
    report = json.loads(shown.out)
    assert [turn["user"] for turn in report["turns"]] == ["Hi"]
    assert "You: Hi" in shown.err


async def test_a_session_that_fails_is_an_error(question: Path) -> None:
    """A script that calls us sees it."""
    assert await run_main(lambda peer: peer.end(Reason.NO_BACKEND), "--in", str(question)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://ha", "--in", "question.wav"], "is not the address"),
        (["http://127.0.0.1:9", "--in", "question.wav"], "cannot be reached"),
        (["http://127.0.0.1:9", "--in", "missing.wav"], "cannot be read"),
        (["http://127.0.0.1:9", "--in", "odd.wav"], "one channel of 16 bits"),
        (["http://127.0.0.1:9", "--in", "question.wav", "slow.wav"], "the same rate"),
        (["http://127.0.0.1:9", "--token-file", "missing"], "token cannot be read"),
        (["http://127.0.0.1:9", "--standby"], "for a --satellite-id"),
    ],
)
def test_what_a_person_got_wrong_is_a_sentence(
    question: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback."""
    monkeypatch.chdir(question.parent)
    write_wav(Path("odd.wav"), 44100, QUESTION)
    write_wav(Path("slow.wav"), 8000, QUESTION)
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_a_token_has_to_be_there(
    question: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where to put it is told."""
    monkeypatch.delenv("HASS_TOKEN")
    assert main(["http://127.0.0.1:9", "--in", str(question)]) == 1
    assert "HASS_TOKEN" in capsys.readouterr().err


async def test_a_token_that_is_refused_is_told(
    question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes from a file here."""
    file = tmp_path / "token"
    file.write_text("wrong\n")
    arguments = ("--in", str(question), "--token-file", str(file))
    assert await run_main(one_turn, *arguments) == 1
    assert "refuses the token" in capsys.readouterr().err


def program(folder: Path, name: str, body: str) -> None:
    """Put a stand-in for a program of ALSA on the path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


async def test_microphone_and_loudspeaker_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the programs of ALSA, with the named devices."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "heard").write_bytes(QUESTION * 20)
    program(tmp_path, "arecord", f'echo "$@" >{tmp_path}/in; cat {tmp_path}/heard; exec sleep 60')
    program(tmp_path, "aplay", f'echo "$@" >{tmp_path}/out; exec cat >{tmp_path}/played')

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(QUESTION)
        await peer.send(events.TurnStarted(turn_id="t"), ANSWER, events.AudioDone(turn_id="t"))
        assert await peer.next_event() == PlaybackDone("t")
        await peer.end(Reason.IDLE)

    assert await run_main(script, "--microphone", "mic", "--speaker", "speaker") == 1
    assert (tmp_path / "played").read_bytes() == ANSWER
    form = "-t raw -f S16_LE -c 1 -r 16000 --buffer-time=60000"
    assert (tmp_path / "in").read_text() == f"-q -D mic {form}\n"
    assert (tmp_path / "out").read_text() == f"-q -D speaker {form}\n"


async def test_it_stays_when_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until somebody ends it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(satellite, "wait_before_next", lambda code, _: None if code == 1000 else 0)
    program(tmp_path, "arecord", "exec sleep 60")
    program(tmp_path, "aplay", "exec cat >/dev/null")
    reasons = [Reason.GATEWAY_LOST, Reason.CLIENT_ENDED]
    assert await run_main(lambda peer: peer.end(reasons.pop(0)), "--stay") == 0
    assert reasons == []
    assert "connects again in 0 s" in capsys.readouterr().out


async def test_it_stands_by_between_two_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until somebody ends it there. Its volume stays."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program(tmp_path, "arecord", "exec sleep 60")
    program(tmp_path, "aplay", "exec cat >/dev/null")
    modes: list[SessionMode] = []

    async def script(peer: Peer) -> None:
        modes.append(peer.config.mode)
        await peer.ready(UNTOUCHED if len(modes) == 1 else SatelliteState(0.5, False))
        if len(modes) == 1:
            await peer.send(events.SatelliteSet(volume=0.5))
            assert await peer.next_event() == SatelliteState(0.5, False)
            await peer.send(events.Listen(purpose=events.Purpose.CONVERSATION))
            assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.IDLE if len(modes) == 2 else Reason.CLIENT_ENDED)

    assert await run_main(script, "--standby", "--satellite-id", "kitchen-1") == 0
    assert modes == [SessionMode.STANDBY, SessionMode.CONVERSATION, SessionMode.STANDBY]


def test_without_a_microphone_files_are_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not every machine can hear."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["http://127.0.0.1:9"]) == 1
    assert "use --in and --out" in capsys.readouterr().err


class Deaf(Questions):
    """A microphone that hears silence for ever, and is never asked to end."""

    def __init__(self) -> None:
        """Have no questions."""
        super().__init__([], 16000)

    def next_question(self) -> bool:
        """Go on."""
        return True


@pytest.mark.parametrize(
    ("is_manual", "pressed"), [(False, ResponseCancel()), (True, AudioCommit())]
)
async def test_enter_is_a_button_and_q_ends(
    monkeypatch: pytest.MonkeyPatch, is_manual: bool, pressed: object
) -> None:
    """Lines, as a terminal gives them."""
    read, write = os.pipe()
    monkeypatch.setattr("sys.stdin", os.fdopen(read))

    async def script(peer: Peer) -> None:
        await peer.ready()
        os.write(write, b"\n")
        assert await peer.next_event() == pressed
        os.write(write, b"q\n")
        assert await peer.next_event() == SessionEnd()
        await peer.end(Reason.CLIENT_ENDED)

    async with endpoint(script) as address, asyncio.timeout(10):
        report = await satellite.talk(
            address,
            TOKEN,
            Options(is_manual=is_manual),
            microphone=Deaf(),
            sink=Recording(),
            screen=Screen(io.StringIO()),
            has_keys=True,
        )
    os.close(write)
    assert report.reason == "client_ended"

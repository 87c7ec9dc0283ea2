"""Questions and answers as real speech: the recogniser hears, the agent answers, the voice speaks."""

import asyncio
from collections.abc import Sequence
import json
from pathlib import Path
import re
import signal

import pytest

from demo.client import HomeAssistantClient
from demo.main import QUESTION
from demo.model_server import ModelServer
from demo.process import CHECKOUT
from demo.voice.demonstration import ANSWER_SHARE, QUESTION_SHARE, exchange, prove_speech
from demo.voice.hearing import Recogniser
from demo.voice.likeness import share_heard
from demo.voice.room import SatelliteEntity, announce
from demo.voice.satellite import Satellite, text_of
from demo.voice.server import VoiceServer
from demo.voice.sound import Sound

from .aloud import ANNOUNCED_LIMIT

LIMIT = 400.0
"""Seconds for one run of the demo. It takes 35."""

MARKUP = re.compile(r"[*#`|]|\]\(|https?:|[\U0001f300-\U0001faff]")


@pytest.mark.e2e("python", "home-assistant", "gateway", "speech")
@pytest.mark.timeout(LIMIT + 10)
async def test_the_demo_speaks_and_listens(tmp_path: Path, socket_enabled: None) -> None:
    """What was heard, the answer's file and the times are told, and are true."""
    process = await asyncio.create_subprocess_exec(
        CHECKOUT / "scripts" / "demo",
        "--voice",
        "--json",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output, progress = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()

    assert process.returncode == 0, progress.decode()
    report = json.loads(output.decode().splitlines()[-1])
    assert report["question"] == QUESTION
    assert share_heard(QUESTION, report["recognised"]) >= QUESTION_SHARE
    assert report["recognised"] in report["answer"]
    assert share_heard(report["answer"], report["answer_recognised"]) >= ANSWER_SHARE
    assert report["answer_wav"] == str(tmp_path / "answer.wav")
    assert Sound.from_wav((tmp_path / "answer.wav").read_bytes()).seconds > 5
    assert 0 < report["first_delta_s"] < report["first_audio_s"] < report["complete_s"]
    assert set(report["stages"]) == {
        "end_of_speech",
        "speech_to_text",
        "first_text",
        "answer",
        "first_audio",
        "audio",
    }


@pytest.mark.e2e
@pytest.mark.usefixtures("patient")
async def test_a_question_is_heard_and_its_answer_spoken_while_it_streams(
    client: HomeAssistantClient,
    voice_pipeline: str,
    voice_server: VoiceServer,
    recogniser: Recogniser,
) -> None:
    """Speech-to-text, agent and text-to-speech work on one turn; sound comes before the last word."""
    seen = await exchange(client, voice_pipeline, voice_server, recogniser, QUESTION)

    prove_speech(seen)
    assert voice_server.spoken[-1].is_streamed
    timeline = seen.spoken.timeline
    assert timeline.first_sound is not None
    assert timeline.last_text is not None
    assert timeline.first_sound < timeline.last_text


@pytest.mark.e2e
@pytest.mark.usefixtures("patient")
async def test_markdown_is_spoken_clean(
    kitchen: SatelliteEntity,
    satellite: Satellite,
    voice_server: VoiceServer,
    model_server: ModelServer,
) -> None:
    """Text-to-speech receives words, whatever the agent writes, and all that can be said of it."""
    question = "Show me the light in the kitchen"
    model_server.teach(question, "MODEL:MD")
    known = len(satellite.playbacks)

    assert share_heard(question, await satellite.ask(question)) >= QUESTION_SHARE
    playback = await satellite.wait_for_playback(after=known)

    assert "**an**" in model_server.requests[-1].reply
    (spoken,) = _of_length(voice_server, playback.sound)
    assert not MARKUP.search(spoken), spoken
    for said in ("Küchenlicht", "Das Licht ist an.", "one item", "another item", "See the manual."):
        assert said in spoken
    assert "example" not in spoken


@pytest.mark.e2e
@pytest.mark.usefixtures("patient")
async def test_a_satellite_plays_its_answer(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    voice_server: VoiceServer,
    model_server: ModelServer,
) -> None:
    """It is an entity in its area, plays what text-to-speech was given, and is idle when it has played."""
    model_server.teach("What did you find in the garden", "MODEL:SAY I have found the red ball.")
    known = len(satellite.playbacks)

    await satellite.ask("What did you find in the garden?")
    answer = await satellite.wait_for_playback(after=known)
    await client.wait_for_state(
        kitchen.entity_id, lambda state: state == "idle", limit=ANNOUNCED_LIMIT
    )

    assert (answer.is_announcement, answer.text) == (False, "I have found the red ball.")
    assert text_of(answer, voice_server) == answer.text
    assert satellite.errors == ()
    devices = await client.call("config/device_registry/list")
    (device,) = [device for device in devices if device["id"] == kitchen.device_id]
    assert device["area_id"] == await client.area("Kitchen")


@pytest.mark.e2e
async def test_a_satellite_plays_announcements(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    voice_server: VoiceServer,
    recogniser: Recogniser,
) -> None:
    """An announcement is told from an answer, and its sound is its text."""
    message = "The door to the garden is open."
    known = len(satellite.playbacks)

    await announce(client, kitchen, message)

    played = await satellite.wait_for_playback(after=known)
    assert played.is_announcement
    assert text_of(played, voice_server) == message
    assert share_heard(message, await recogniser.hear(played.sound)) >= ANSWER_SHARE


def _of_length(server: VoiceServer, sound: Sound) -> Sequence[str]:
    """Return the last text that was spoken, if it has the length of this sound."""
    last = server.spoken[-1]
    return [last.text] if abs(last.seconds - sound.seconds) < 0.2 else []

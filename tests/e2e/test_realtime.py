"""Realtime satellites in a real Home Assistant: both backends, with real speech, and what they are told."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
import io
import json
import signal
from typing import override

import pytest

from demo.client import HomeAssistantClient, JsonObject
from demo.home_assistant import DOMAIN, HomeAssistantProcess
from demo.model_server import ModelServer
from demo.process import CHECKOUT
from demo.realtime import BACKENDS
from demo.realtime_lessons import (
    ANSWER_SHARE,
    INTERRUPT_AFTER,
    LESSONS,
    QUESTION_SHARE,
    STORY,
    WEATHER,
    prove_conversation,
    teach,
)
from demo.realtime_session import converse
from demo.satellite.client import Satellite
from demo.satellite.main import opened
from demo.satellite.microphone import Questions
from demo.satellite.protocol import Options
from demo.satellite.screen import Screen
from demo.satellite.speaker import Recording
from demo.stage import Agent
from demo.voice.hearing import Recogniser
from demo.voice.likeness import share_heard
from demo.voice.programs import USER_VOICE, speak
from demo.voice.realtime_provider import RealtimeProvider, ears_of, say
from demo.voice.sound import RATE, Sound

LIMIT = 400.0
"""Seconds for one run of the demo. It takes 70."""

STANDBY_LIMIT = 30.0
"""Seconds until a satellite stands by."""


@pytest.fixture
def speech_model(
    realtime_provider: RealtimeProvider, recogniser: Recogniser, model_server: ModelServer
) -> Generator[RealtimeProvider]:
    """Give the provider of the gateway ears and a voice for a while, and the answers of the demo."""
    model = realtime_provider.model
    before = replace(model)
    model.hear, model.speak = ears_of(recogniser), say
    teach(model.mind, model_server, LESSONS)
    yield realtime_provider
    model.hear, model.speak = before.hear, before.speak
    model.mind.forget()


@pytest.mark.e2e("python", "home-assistant", "gateway", "speech")
@pytest.mark.timeout(LIMIT + 10)
async def test_the_demo_talks_live(socket_enabled: None) -> None:
    """By both backends: what was heard on both sides, how soon the answers came, and the silence."""
    process = await asyncio.create_subprocess_exec(
        CHECKOUT / "scripts" / "demo",
        "--realtime",
        "--json",
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
    backends = json.loads(output.decode().splitlines()[-1])["backends"]
    assert list(backends) == ["gateway", "assist"]
    for seen in backends.values():
        assert seen["turns"] == len(LESSONS)
        for lesson, heard in zip(LESSONS, seen["recognised"], strict=True):
            assert share_heard(lesson.question, heard) >= QUESTION_SHARE
        for lesson, heard in list(zip(LESSONS, seen["answer_recognised"], strict=True))[1:]:
            assert share_heard(lesson.answer, heard) >= ANSWER_SHARE
        assert 0.5 < seen["first_audio_s"] < 10
        assert 0 < seen["clear_ms"] < 1000
        assert INTERRUPT_AFTER <= seen["heard_before_clear_s"] < INTERRUPT_AFTER + 1


@pytest.mark.e2e
@pytest.mark.usefixtures("patient", "speech_model", "voice_pipeline", "no_satellites_left")
@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_satellite_talks_and_interrupts(
    client: HomeAssistantClient, recogniser: Recogniser, backend: str
) -> None:
    """Two turns, one of them interrupted; the integration complains of nothing."""
    lessons = (STORY, WEATHER)
    seen = await converse(
        client.url,
        client.token,
        [lesson.question for lesson in lessons],
        backend=backend,
        interrupt_after=INTERRUPT_AFTER,
    )

    heard = [await recogniser.hear(answered.sound) for answered in seen.answers]
    prove_conversation(seen, lessons, backend, heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A satellite that waits to be told something."""

    entity_id: str
    satellite: Satellite
    recording: Recording

    async def heard_by(self, recogniser: Recogniser) -> str:
        """Return what was heard of it since somebody asked last."""
        sound = Sound(samples=bytes(self.recording.samples), rate=RATE)
        self.recording.samples.clear()
        return await recogniser.hear(sound)


async def entity_of(client: HomeAssistantClient, satellite_id: str) -> str:
    """Return the entity of a satellite that is connected."""
    devices = await client.call("config/device_registry/list")
    mine = [
        device["id"]
        for device in devices
        if any(domain == DOMAIN and satellite_id in name for domain, name in device["identifiers"])
    ]
    rows: list[JsonObject] = await client.call("config/entity_registry/list")
    (found,) = [
        str(row["entity_id"])
        for row in rows
        if row["device_id"] in mine and row["entity_id"].startswith("assist_satellite.")
    ]
    return found


class Watched(Screen):
    """A screen that shows nothing, and tells when the satellite stands by."""

    def __init__(self) -> None:
        """It does not yet."""
        super().__init__(io.StringIO())
        self.stands_by = asyncio.Event()

    @override
    def note(self, text: str) -> None:
        """See a line."""
        if text == "stands by":
            self.stands_by.set()


@asynccontextmanager
async def standing_by(
    client: HomeAssistantClient, satellite_id: str, *answers: str
) -> AsyncGenerator[Standby]:
    """Connect a satellite that answers what it is asked, and disconnect it."""
    spoken = [(await speak(answer, voice=USER_VOICE)).samples for answer in answers]
    recording, screen = Recording(), Watched()
    session = opened(
        client.url,
        client.token,
        Options(
            rate=RATE, satellite_id=satellite_id, name="Standing by", area="Attic", is_standby=True
        ),
        microphone=Questions(spoken, RATE),
        sink=recording,
        screen=screen,
    )
    async with session as satellite, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(satellite.run())
        async with asyncio.timeout(STANDBY_LIMIT):
            await screen.stands_by.wait()
        entity_id = await entity_of(client, satellite_id)
        await client.wait_for_state(entity_id, lambda state: state == "idle")
        yield Standby(entity_id=entity_id, satellite=satellite, recording=recording)
        satellite.end()
        async with asyncio.timeout(STANDBY_LIMIT):
            await running


async def tell(
    client: HomeAssistantClient, service: str, *, has_response: bool = False, **data: object
) -> JsonObject:
    """Run an action of Assist satellites, and return its response."""
    result: JsonObject = await client.call(
        "call_service",
        domain="assist_satellite",
        service=service,
        service_data={"preannounce": False, **data},
        return_response=has_response,
    )
    response: JsonObject = result.get("response") or {}
    return response


@pytest.mark.e2e
@pytest.mark.usefixtures("voice_pipeline", "no_satellites_left")
async def test_a_satellite_in_standby_is_told_and_asked(
    client: HomeAssistantClient, agent: Agent, recogniser: Recogniser
) -> None:
    """Announcements are heard to their ends; a question gets the answer that was spoken there."""
    async with standing_by(client, "standby-1", "Yes, close the window.") as standby:
        entity_id = standby.entity_id

        said = "The window in the kitchen is open, and the door is closed."
        await tell(client, "announce", entity_id=entity_id, message=said)
        assert share_heard(said, await standby.heard_by(recogniser)) >= ANSWER_SHARE
        assert standby.satellite.report.announcements == [said]

        answer = await tell(
            client,
            "ask_question",
            has_response=True,
            entity_id=entity_id,
            question="Shall I close the window now?",
            answers=[
                {"id": "close", "sentences": ["yes [close the window]"]},
                {"id": "leave", "sentences": ["no [leave it open]"]},
            ],
        )
        assert answer["id"] == "close", answer

        await tell(
            client, "start_conversation", entity_id=entity_id, start_message="What can I do?"
        )
        await client.wait_for_state(entity_id, lambda state: state == "unavailable")
        assert standby.satellite.report.wants_to_talk
    report = standby.satellite.report
    assert (report.close_code, report.errors) == (1000, [])


@pytest.fixture
async def no_satellites_left(
    real_home_assistant: HomeAssistantProcess,
) -> AsyncGenerator[None]:
    """Leave no device of ours to other tests."""
    yield
    async with real_home_assistant.connect() as client:
        for device in await client.call("config/device_registry/list"):
            names = [name for domain, name in device["identifiers"] if domain == DOMAIN]
            if any("satellite" in name or "standby" in name for name in names):
                for entry_id in device["config_entries"]:
                    await client.call(
                        "config/device_registry/remove_config_entry",
                        device_id=device["id"],
                        config_entry_id=entry_id,
                    )

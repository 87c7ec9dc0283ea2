"""Realtime satellites in tests: who talks there, what was heard, and when."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
import io
from typing import Final, override

from websockets.asyncio.client import ClientConnection

from demo.client import HomeAssistantClient, JsonObject
from demo.home_assistant import DOMAIN
from demo.model_server import ModelServer
from demo.realtime_lessons import ANSWER_SHARE
from demo.satellite.client import Report, Satellite, Turn
from demo.satellite.main import opened
from demo.satellite.microphone import Questions
from demo.satellite.protocol import Options
from demo.satellite.screen import Screen
from demo.satellite.speaker import Recording
from demo.stage import Agent
from demo.voice.hearing import Recogniser
from demo.voice.likeness import share_heard
from demo.voice.programs import USER_VOICE, speak
from demo.voice.sound import RATE, Sound

LIMIT: Final = 60.0
"""Seconds until something must have happened. Answers take three."""

SPEED: Final = 4.0
"""Satellites play so many times as fast as people listen, where only words count."""

MARK: Final = "_satellite_"
"""In the identifiers of their devices."""


RESTS: Final = {"listens", "stands by"}
"""What a satellite does when all was heard."""


class Person(Questions):
    """Somebody at a microphone who says something when it is their turn, and likes to go on."""

    def __init__(self) -> None:
        """Have nothing to say yet."""
        super().__init__([], RATE)
        self.has_word = asyncio.Event()
        """It is their turn."""

    @override
    def next_question(self) -> bool:
        """Say what was prepared, or have the word."""
        if not super().next_question():
            self.has_word.set()
        return True

    async def prepare(self, text: str) -> None:
        """Have something to say when the turn comes."""
        self._waiting.append((await speak(text, voice=USER_VOICE)).samples)

    async def say(self, text: str) -> None:
        """Say something as soon as it is their turn."""
        await self.prepare(text)
        async with asyncio.timeout(LIMIT):
            await self.has_word.wait()
        self.has_word.clear()
        self.next_question()


class Watched(Screen):
    """A screen that shows nothing, and keeps what it would."""

    def __init__(self) -> None:
        """Nothing has happened."""
        super().__init__(io.StringIO())
        self.lines: list[str] = []
        """States, notes and what was announced, in order."""

        self.changed = asyncio.Event()

    @override
    def state(self, state: str) -> None:
        """See what the satellite does."""
        self._see(state)

    @override
    def note(self, text: str) -> None:
        """See a line."""
        self._see(text)

    @override
    def words(self, speaker: str, text: str) -> None:
        """See that somebody speaks."""
        self.changed.set()

    @override
    def sentence(self, speaker: str, text: str) -> None:
        """See what somebody has said."""
        self._see(text)

    def _see(self, line: str) -> None:
        self.lines.append(line)
        self.changed.set()


class Heard(Recording):
    """Keeps what was heard, and tells when there is more."""

    def __init__(self, changed: asyncio.Event) -> None:
        """Nothing yet."""
        super().__init__()
        self._changed = changed

    @property
    def seconds(self) -> float:
        """How much it is."""
        return Sound(samples=bytes(self.samples), rate=RATE).seconds

    @override
    async def write(self, pcm: bytes) -> None:
        """Keep more."""
        await super().write(pcm)
        self._changed.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A satellite that is connected."""

    satellite: Satellite
    task: asyncio.Task[Report]
    person: Person
    screen: Watched
    recording: Heard

    @property
    def report(self) -> Report:
        """What its session came to."""
        return self.satellite.report

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so at the satellite.

        Raises:
            TimeoutError: It is not in time.
        """
        try:
            async with asyncio.timeout(LIMIT):
                while not is_so():
                    self.screen.changed.clear()
                    await self.screen.changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{self.report}, {self.screen.lines}") from None

    async def ask(self, text: str) -> Turn:
        """Ask something, and return the turn when its answer was heard."""
        assert not self.task.done(), self.report
        await self.person.say(text)
        await self.until(lambda: self.person.has_word.is_set() or self.task.done())
        return self.report.turns[-1]

    async def ask_over(self, text: str, other: str, *, after: float) -> Turn:
        """Ask something, and something else over its answer; return that turn as `ask` does.

        `after` is how many seconds of the answer are heard before.
        """
        until = self.recording.seconds + after
        await self.person.say(text)
        await self.until(lambda: self.recording.seconds >= until)
        await self.person.prepare(other)
        self.person.next_question()
        await self.until(lambda: self.person.has_word.is_set() or self.task.done())
        return self.report.turns[-1]

    async def until_told(self, *words: str) -> str:
        """Wait until something with these words was announced and heard, and return it."""
        await self.until(lambda: self._told(words))
        return str(self._told(words))

    async def heard_by(self, recogniser: Recogniser) -> str:
        """Return what was heard of it since somebody asked last."""
        sound = Sound(samples=bytes(self.recording.samples), rate=RATE)
        self.recording.samples.clear()
        return await recogniser.hear(sound)

    async def ended(self) -> tuple[int | None, str | None]:
        """Wait until Home Assistant has ended the session; return the close code and the reason."""
        async with asyncio.timeout(LIMIT):
            report = await self.task
        return report.close_code, report.reason

    def hang_up(self) -> None:
        """Leave without a word."""
        self.task.cancel()

    def _told(self, words: tuple[str, ...]) -> str | None:
        lines = self.screen.lines
        for text in self.report.announcements:
            is_meant = all(word in text for word in words)
            if is_meant and RESTS & set(lines[lines.index(text) :]):
                return text
        return None


type Connected = AbstractAsyncContextManager[Live]


@asynccontextmanager
async def connected(
    client: HomeAssistantClient, options: Options, *, token: str | None = None
) -> AsyncGenerator[Live]:
    """Connect a satellite, and yield it when it is ready, or was refused.

    Args:
        client: Of Home Assistant, where its user is let in.
        options: What the satellite wants.
        token: That of another user.
    """
    person, screen = Person(), Watched()
    recording = Heard(screen.changed)
    session = opened(
        client.url,
        token or client.token,
        options,
        microphone=person,
        sink=recording,
        screen=screen,
        speed=SPEED,
    )
    async with session as satellite, _run(satellite, person, screen, recording) as live:
        yield live


@asynccontextmanager
async def at_socket(socket: ClientConnection, options: Options) -> AsyncGenerator[Live]:
    """Have a session on a socket that is open, as fast as people listen."""
    person, screen = Person(), Watched()
    recording = Heard(screen.changed)
    satellite = Satellite(socket, options, microphone=person, sink=recording, screen=screen)
    async with _run(satellite, person, screen, recording) as live:
        yield live


@asynccontextmanager
async def _run(
    satellite: Satellite, person: Person, screen: Watched, recording: Heard
) -> AsyncGenerator[Live]:
    """Run a session while the block lasts."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(satellite.run())
        task.add_done_callback(lambda _: screen.changed.set())
        live = Live(
            satellite=satellite, task=task, person=person, screen=screen, recording=recording
        )
        await live.until(lambda: satellite.report.backend or task.done())
        yield live
        if not task.done():
            satellite.end()
            await live.until(task.done)


def wanted(
    satellite_id: str | None = None,
    *,
    agent: str | None = None,
    backend: str | None = None,
    is_standby: bool = False,
) -> Options:
    """Return what a satellite in the attic wants."""
    return Options(
        rate=RATE,
        satellite_id=satellite_id,
        name="In the attic",
        area="Attic",
        language="en",
        # It plays faster than people listen.
        max_ahead=0,
        # What hears nothing hears no echo.
        cancels_echo=True,
        is_standby=is_standby,
        agent=agent,
        backend=backend,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attic:
    """What satellites in the attic have to do with."""

    client: HomeAssistantClient
    agent: Agent
    model_server: ModelServer
    recogniser: Recogniser

    def talk(self, satellite_id: str, *, backend: str | None = "gateway") -> Connected:
        """Have a satellite talk with the first agent."""
        options = wanted(satellite_id, agent=self.agent.entity_id, backend=backend)
        return connected(self.client, options)

    def stand_by(self, satellite_id: str) -> Connected:
        """Have a satellite wait until it is told something."""
        return connected(self.client, wanted(satellite_id, is_standby=True))

    async def tells(self, live: Live, text: str) -> bool:
        """Whether a text is recognised in what was heard at a satellite."""
        return share_heard(text, await live.heard_by(self.recogniser)) >= ANSWER_SHARE


async def device_of(client: HomeAssistantClient, satellite_id: str) -> JsonObject | None:
    """Return the device that a satellite has become."""
    for device in await satellite_devices(client):
        if any(name.endswith(f"{MARK}{satellite_id}") for _, name in device["identifiers"]):
            return device
    return None


async def satellite_devices(client: HomeAssistantClient) -> list[JsonObject]:
    """Return the devices of all realtime satellites."""
    return [
        device
        for device in await client.call("config/device_registry/list")
        if any(domain == DOMAIN and MARK in name for domain, name in device["identifiers"])
    ]


async def entities_of(client: HomeAssistantClient, satellite_id: str) -> dict[str, str]:
    """Return the entity ids of a satellite, by their kinds and the keys of their texts."""
    device = await device_of(client, satellite_id)
    assert device, f"{satellite_id} is no device"
    rows: list[JsonObject] = await client.call("config/entity_registry/list")
    return {
        f"{row['entity_id'].split('.')[0]}:{row['translation_key'] or ''}": row["entity_id"]
        for row in rows
        if row["device_id"] == device["id"]
    }


async def entity_of(client: HomeAssistantClient, satellite_id: str) -> str:
    """Return the entity that Assist knows a satellite by."""
    return (await entities_of(client, satellite_id))["assist_satellite:"]


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

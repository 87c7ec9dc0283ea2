"""The integration in a real Home Assistant, added by its config flow, ready to be asked."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, replace
import re

import pytest

from demo.client import HomeAssistantClient
from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.model_server import ModelServer
from demo.realtime_lessons import LESSONS, teach
from demo.stage import PIPELINE_NAME, Agent, add_gateway
from demo.voice.hearing import Recogniser
from demo.voice.pipeline import prefer_voice
from demo.voice.realtime_provider import RealtimeProvider, ears_of, say
from demo.voice.room import SatelliteEntity, add_satellite
from demo.voice.satellite import Satellite
from demo.voice.server import VoiceServer

from .administrator import Administrator, administrator
from .aloud import PATIENT, LateAnswers, Room, late_answers
from .asking import GUARD, Turns
from .automations import Automations
from .heard import Heard, heard
from .live import Attic, satellite_devices
from .subentry_flow import Options, add_agent
from .told import Told, told

COMPLAINT = re.compile(
    r"^\S+ \S+ (WARNING|ERROR|CRITICAL) (?!.* We found a custom integration ).*openclaw_voice"
)
"""A line about us from whatever logger: also that we block the loop, or use what is deprecated."""

VOICE_PIPELINE_NAME = f"{PIPELINE_NAME} aloud"
FOUND_LIMIT = 90.0
"""Seconds until a gateway must have been found."""

PACE = 0.2
"""Satellites play five times as fast as people listen, where only words count."""

OUR_CODE = re.compile(r'File ".*custom_components/openclaw_voice/')
RECORD = re.compile(r"^\d{4}-\d\d-\d\d \S+ [A-Z]+ \(")
"""Where a record of the log begins; other lines belong to the one before."""

NOT_READY = re.compile(r" DEBUG \(.* Full exception$")
"""An entry whose gateway still starts is set up again later, which is no error."""


async def ask(client: HomeAssistantClient, text: str, **fields: str) -> Heard:
    """Ask through the preferred pipeline and return what came."""
    return await heard(client.ask(text, **fields))


@pytest.fixture
async def client(real_home_assistant: HomeAssistantProcess) -> AsyncGenerator[HomeAssistantClient]:
    """Return a client of Home Assistant."""
    async with real_home_assistant.connect() as client:
        yield client


@pytest.fixture
async def agent(client: HomeAssistantClient, real_gateway: GatewayProcess) -> Agent:
    """Return our agent, connected and preferred in Assist; the first test adds the integration."""
    agent = await add_gateway(client, real_gateway.url, real_gateway.token)
    await client.wait_for_state(
        agent.entity_id, lambda state: state != "unavailable", limit=FOUND_LIMIT
    )
    await client.prefer_agent(agent.entity_id, name=PIPELINE_NAME)
    return agent


@pytest.fixture
async def voice_pipeline(
    client: HomeAssistantClient, agent: Agent, voice_server: VoiceServer
) -> str:
    """Return the id of the preferred pipeline, which hears, asks our agent, and speaks."""
    return await prefer_voice(client, agent.entity_id, voice_server, name=VOICE_PIPELINE_NAME)


@pytest.fixture
async def kitchen(
    client: HomeAssistantClient, satellite: Satellite, voice_pipeline: str
) -> SatelliteEntity:
    """Return the satellite's entity, in the kitchen, idle, with the pipeline that speaks."""
    return await add_satellite(client, satellite, area="Kitchen")


@pytest.fixture
async def bedroom(
    client: HomeAssistantClient, other_satellite: Satellite, voice_pipeline: str
) -> SatelliteEntity:
    """Return the other satellite's entity, in the bedroom, idle, with the pipeline that speaks."""
    return await add_satellite(client, other_satellite, area="Bedroom")


@pytest.fixture
def kitchen_room(
    client: HomeAssistantClient,
    kitchen: SatelliteEntity,
    satellite: Satellite,
    voice_server: VoiceServer,
    voice_pipeline: str,
) -> Room:
    """Return the kitchen, whose satellite plays faster than people listen."""
    satellite.pace = PACE
    return Room(
        client=client,
        entity=kitchen,
        satellite=satellite,
        voice=voice_server,
        pipeline_id=voice_pipeline,
        played=len(satellite.playbacks),
    )


@pytest.fixture
def bedroom_room(
    client: HomeAssistantClient,
    bedroom: SatelliteEntity,
    other_satellite: Satellite,
    voice_server: VoiceServer,
    voice_pipeline: str,
) -> Room:
    """Return the bedroom."""
    return Room(
        client=client,
        entity=bedroom,
        satellite=other_satellite,
        voice=voice_server,
        pipeline_id=voice_pipeline,
        played=len(other_satellite.playbacks),
    )


@pytest.fixture
async def options(
    client: HomeAssistantClient, agent: Agent, real_home_assistant: HomeAssistantProcess
) -> AsyncGenerator[Options]:
    """Return the options of our agent; what a test changes is taken back."""
    options = Options(client, agent)
    yield options
    async with real_home_assistant.connect() as later:
        await options.take_back(later)


@pytest.fixture
async def patient(options: Options) -> None:
    """Have people wait for our agent until it answers: a cold gateway may take longer than they usually do."""
    await options.change(patience=PATIENT)


@pytest.fixture
async def late(
    agent: Agent, real_home_assistant: HomeAssistantProcess
) -> AsyncGenerator[LateAnswers]:
    """Return the events about late answers."""
    async with late_answers(real_home_assistant) as seen:
        yield seen


@pytest.fixture
async def owner(real_gateway: GatewayProcess, agent: Agent) -> AsyncGenerator[Administrator]:
    """Return the owner of the gateway."""
    async with administrator(real_gateway) as owner:
        yield owner


@pytest.fixture
async def seen(agent: Agent, real_home_assistant: HomeAssistantProcess) -> AsyncGenerator[Told]:
    """Return what is told from now on."""
    async with told(real_home_assistant) as seen:
        yield seen


@pytest.fixture
async def guard(
    client: HomeAssistantClient, agent: Agent, owner: Administrator, real_gateway: GatewayProcess
) -> Agent:
    """Return an agent that asks, added, with the option that it may ask people here."""
    guard = await add_agent(client, agent, real_gateway, GUARD)
    await owner.ask_before_commands(GUARD)
    await Options(client, guard).change(asks_before_risk=True)
    return guard


@pytest.fixture
def turns(client: HomeAssistantClient, late: LateAnswers) -> Turns:
    """Return turns that go on beside the test."""
    return Turns(client=client, late=late)


@pytest.fixture
async def automations(client: HomeAssistantClient) -> AsyncGenerator[Automations]:
    """Return the automations of the test."""
    automations = Automations(client)
    yield automations
    await automations.remove()


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


@pytest.fixture
async def no_satellites_left(real_home_assistant: HomeAssistantProcess) -> AsyncGenerator[None]:
    """Leave no realtime satellite to other tests."""
    yield
    async with real_home_assistant.connect() as client:
        for device in await satellite_devices(client):
            for entry_id in device["config_entries"]:
                await client.call(
                    "config/device_registry/remove_config_entry",
                    device_id=device["id"],
                    config_entry_id=entry_id,
                )


@pytest.fixture
def attic(
    client: HomeAssistantClient, agent: Agent, model_server: ModelServer, recogniser: Recogniser
) -> Attic:
    """Return the attic, where realtime satellites are."""
    return Attic(client=client, agent=agent, model_server=model_server, recogniser=recogniser)


@dataclass(slots=True)
class Log:
    """What Home Assistant has logged since somebody looked last."""

    home: HomeAssistantProcess
    position: int = 0
    is_harmless: bool = False
    """The record that was read last tells of nothing wrong, whatever its traceback."""

    def complaints(self) -> list[str]:
        """Return the lines with a warning, an error or a traceback of the integration."""
        added = self.home.log_path.read_bytes()[self.position :]
        self.position += len(added)
        lines = added.decode(errors="replace").splitlines()
        return [line for line in lines if self._complains(line)]

    def _complains(self, line: str) -> bool:
        """Whether a line tells of something wrong."""
        if RECORD.search(line):
            self.is_harmless = bool(NOT_READY.search(line))
        return bool(COMPLAINT.search(line) or (OUR_CODE.search(line) and not self.is_harmless))


@pytest.fixture(scope="session")
def _log(_home_assistant_process: HomeAssistantProcess) -> Log:
    """Return the log from its begin on: its first test also answers for the start."""
    return Log(_home_assistant_process)


@pytest.fixture(autouse=True)
def no_complaints(_log: Log) -> Generator[None]:
    """Fail a test during which the integration logged a warning, an error or a traceback."""
    yield
    assert _log.complaints() == []

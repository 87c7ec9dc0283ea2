"""The integration in a real Home Assistant, added by its config flow, ready to be asked."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
import re

import pytest

from demo.client import HomeAssistantClient
from demo.gateway import GatewayProcess
from demo.home_assistant import HomeAssistantProcess
from demo.stage import PIPELINE_NAME, Agent, add_gateway
from demo.turn import Delta, MessageStarted, TurnEnded
from demo.voice.pipeline import prefer_voice
from demo.voice.room import SatelliteEntity, add_satellite
from demo.voice.satellite import Satellite
from demo.voice.server import VoiceServer

COMPLAINT = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) .*\[custom_components\.openclaw_voice")
VOICE_PIPELINE_NAME = f"{PIPELINE_NAME} aloud"
OUR_CODE = re.compile(r'File ".*custom_components/openclaw_voice/')


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a client of Assist got in one turn."""

    messages: tuple[str, ...]
    deltas: tuple[Delta, ...]
    end: TurnEnded


async def ask(client: HomeAssistantClient, text: str, **fields: str) -> Heard:
    """Ask through the preferred pipeline and return what came."""
    messages: list[str] = []
    deltas: list[Delta] = []
    end: TurnEnded | None = None
    async for event in client.ask(text, **fields):
        match event:
            case MessageStarted():
                messages.append("")
            case Delta():
                messages[-1] += event.text
                deltas.append(event)
            case TurnEnded():
                end = event
            case _:
                pass
    assert end is not None, "the pipeline ended without an answer"
    return Heard(messages=tuple(filter(None, messages)), deltas=tuple(deltas), end=end)


@pytest.fixture
async def client(real_home_assistant: HomeAssistantProcess) -> AsyncGenerator[HomeAssistantClient]:
    """Return a client of Home Assistant."""
    async with real_home_assistant.connect() as client:
        yield client


@pytest.fixture
async def agent(client: HomeAssistantClient, real_gateway: GatewayProcess) -> Agent:
    """Return our agent, connected and preferred in Assist; the first test adds the integration."""
    agent = await add_gateway(client, real_gateway.url, real_gateway.token)
    await client.wait_for_state(agent.entity_id, lambda state: state != "unavailable")
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


@pytest.fixture(autouse=True)
def no_complaints(real_home_assistant: HomeAssistantProcess) -> Generator[None]:
    """Fail a test during which the integration logged a warning, an error or a traceback."""
    log = real_home_assistant.log_path
    start = log.stat().st_size
    yield
    added = log.read_bytes()[start:].decode(errors="replace").splitlines()
    assert [line for line in added if COMPLAINT.search(line) or OUR_CODE.search(line)] == []

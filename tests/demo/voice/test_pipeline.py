"""Voice server and satellite in a Home Assistant that plays a script."""

from pathlib import Path

import pytest
from wyoming.client import AsyncTcpClient
from wyoming.satellite import RunSatellite

from demo.client import HomeAssistantError
from demo.script import JsonObject
from demo.voice.hearing import HearingError, Recogniser
from demo.voice.pipeline import prefer_voice
from demo.voice.room import SatelliteEntity, add_satellite
from demo.voice.satellite import Satellite
from demo.voice.server import NAME, VoiceServer
from demo.voice.sound import Sound

from ..test_client import Answer, event, home_assistant, result

FORM = {"type": "form", "flow_id": "f", "step_id": "user", "errors": None}
CREATED = {"type": "create_entry", "flow_id": "f", "result": {"entry_id": "w1"}}
LOADED = {"entry_id": "w1", "state": "loaded"}
AGENT = "conversation.main"
FIELDS = {
    "stt_engine": "stt.demo_voice",
    "stt_language": "en",
    "tts_engine": "tts.demo_voice",
    "tts_language": "en",
}
type Answers = dict[str, list[JsonObject] | Answer]


def with_entry(title: str | None, *entities: str) -> Answers:
    """Return the answers of a Home Assistant with a Wyoming entry that has these entities."""
    entries = [{"entry_id": "w1", "title": title}] if title else []
    rows = [
        {"config_entry_id": "w1", "entity_id": entity_id, "device_id": "d1"}
        for entity_id in entities
    ]
    return {
        "config_entries/get": [result(entries)],
        "config_entries/subscribe": [result(), event([{"type": None, "entry": LOADED}])],
        "unsubscribe_events": [result()],
        "config/entity_registry/list": [result(rows)],
        "assist_pipeline/pipeline/set_preferred": [result()],
    }


async def test_a_pipeline_with_a_voice_is_made_and_preferred(server: VoiceServer) -> None:
    """The voice server is added through its config flow; its entities hear and speak."""
    created: list[JsonObject] = []

    def create(command: JsonObject) -> list[JsonObject]:
        created.append(command)
        return [result({"id": "p2"})]

    # Without a voice, and with another agent.
    known = [
        {"id": "p0", "name": "Aloud", "conversation_engine": AGENT, "stt_engine": None},
        {"id": "p1", "name": "Aloud", "conversation_engine": "conversation.other", **FIELDS},
    ]
    answers = with_entry(None, "stt.demo_voice", "tts.demo_voice") | {
        "assist_pipeline/pipeline/list": [result({"pipelines": known})],
        "assist_pipeline/pipeline/create": create,
    }
    async with home_assistant(answers, [FORM, CREATED]) as client:
        assert await prefer_voice(client, AGENT, server, name="Aloud") == "p2"
    (command,) = created
    assert command["conversation_engine"] == AGENT
    assert {name: command[name] for name in FIELDS} == FIELDS
    assert command["tts_voice"] is None


async def test_a_pipeline_with_this_voice_is_taken(server: VoiceServer) -> None:
    """Nothing is added twice."""
    known = [
        {"id": "p1", "name": "Aloud", "conversation_engine": AGENT, "language": "en", **FIELDS}
    ]
    answers = with_entry(NAME, "stt.demo_voice", "tts.demo_voice") | {
        "assist_pipeline/pipeline/list": [result({"pipelines": known})],
    }
    async with home_assistant(answers) as client:
        assert await prefer_voice(client, AGENT, server, name="Aloud") == "p1"


async def test_a_voice_without_an_entity_is_an_error(server: VoiceServer) -> None:
    """The error names what is missing."""
    async with home_assistant(with_entry(NAME, "stt.demo_voice")) as client:
        with pytest.raises(HomeAssistantError, match="no entity of the kind tts"):
            await prefer_voice(client, AGENT, server, name="Aloud")


async def test_a_satellite_is_added_and_put_into_its_area(
    satellite: Satellite, home: AsyncTcpClient
) -> None:
    """The area is made when there is none, and announcements come from an address that answers."""
    sent: list[JsonObject] = []

    def note(command: JsonObject) -> list[JsonObject]:
        sent.append(command)
        return [result({"area_id": "a2"})]

    entity_id = "assist_satellite.paper_satellite"
    answers = with_entry(satellite.name, "select.pipeline", entity_id) | {
        "config/core/update": note,
        "config/area_registry/list": [result([{"area_id": "a1", "name": "Attic"}])],
        "config/area_registry/create": note,
        "config/device_registry/update": note,
        "subscribe_entities": [result(), event({"a": {entity_id: {"s": "idle", "a": {}}}})],
    }
    await home.write_event(RunSatellite().event())
    async with home_assistant(answers) as client:
        added = await add_satellite(client, satellite, area="Cellar")
        assert sent[0]["internal_url"] == client.url
        assert await client.area("Attic") == "a1"
        await client.assign_area("d1", None)
    assert added == SatelliteEntity(entry_id="w1", device_id="d1", entity_id=entity_id)
    assert sent[1]["name"] == "Cellar"
    assert [(move["device_id"], move["area_id"]) for move in sent[2:]] == [
        ("d1", "a2"),
        ("d1", None),
    ]


async def test_a_satellite_without_an_entity_is_an_error(satellite: Satellite) -> None:
    """The error names what is missing."""
    answers = with_entry(satellite.name) | {"config/core/update": [result()]}
    async with home_assistant(answers) as client:
        with pytest.raises(HomeAssistantError, match="no entity of the kind assist_satellite"):
            await add_satellite(client, satellite)


async def test_a_recogniser_that_is_not_there_is_an_error(
    tmp_path: Path, socket_enabled: None
) -> None:
    """Nobody waits for it."""
    with pytest.raises(HearingError, match="The recogniser is gone"):
        await Recogniser(tmp_path).hear(Sound.silence(0.1))

"""Satellites on a real socket are told and asked something by the actions of Home Assistant."""

from array import array
import asyncio
from types import MappingProxyType
from unittest.mock import patch

from homeassistant.components.assist_pipeline.runtime import KEY_ASSIST_PIPELINE
from homeassistant.components.assist_satellite import SatelliteBusyError
from homeassistant.components.assist_satellite.const import DATA_COMPONENT
from homeassistant.components.ffmpeg import DATA_FFMPEG, FFmpegManager
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.openclaw_voice import announcement_audio
from custom_components.openclaw_voice.const import CONF_AGENT_ID, DOMAIN, SUBENTRY_AGENT
from custom_components.openclaw_voice.realtime import announcing
from custom_components.openclaw_voice.realtime.backend import (
    OutputAudio,
    OutputEnded,
    ResponseStarted,
    SpeechEnded,
    TurnEnded,
    TurnStarted,
)
from custom_components.openclaw_voice.realtime.session import RealtimeSession
from custom_components.openclaw_voice.voice_sessions import async_voice_sessions
from tests.fakes.gateway import ScriptedGateway
from tests.realtime.scripted import ScriptedBackend

from .assist_backend.engines import (
    add_pipeline,
    text_of,
)
from .support import AGENT, WAIT_LIMIT, add_entry, introduce
from .voice_room import BELL, ENTITY, LONG, Room, hears
from .voice_satellite import KITCHEN, RATE, until_state


async def test_it_announces(room: Room) -> None:
    """The action ends when the loudspeaker is still; meanwhile the satellite responds."""
    room.mouth.pause = LONG
    async with room.satellite() as socket:
        socket.plays.clear()
        action = room.begin("announce", message="Tea is ready.", preannounce=False)
        assert (await socket.told("announcement"))["text"] == "Tea is ready."
        await socket.told("audio.done")
        await hears(socket, "Tea is ready.")
        assert room.state == "responding"
        assert not action.done()
        socket.plays.set()
        await action
        assert room.state == "idle"
    assert room.converted == []


async def test_a_sound_comes_first(room: Room) -> None:
    """It is converted once: it is always the same."""
    async with room.satellite() as socket:
        await room.call("announce", message="One.")
        await room.call("announce", message="Two.")
        await hears(socket, f"{BELL}One.{BELL}Two.")
    assert len(room.converted) == 1
    assert "http://127.0.0.1:8123/api/assist_satellite/static/preannounce.mp3" in room.converted[0]


async def test_only_some_sounds_are_kept(room: Room) -> None:
    """Anybody may choose another one each time."""
    async with room.satellite():
        for number in (*range(announcement_audio.KEPT + 1), 0):
            url = f"http://127.0.0.1/{number}.mp3"
            await room.call("announce", message="One.", preannounce_media_id=url)
    assert len(room.converted) == announcement_audio.KEPT + 2


@pytest.mark.parametrize("script", ["exit 1", "exec sleep 60"])
async def test_without_the_sound_it_is_said_all_the_same(room: Room, script: str) -> None:
    """It is no reason to keep quiet."""
    room.convert(script)
    async with room.satellite() as socket:
        with patch.object(announcement_audio, "CONVERT_LIMIT", 0.2):
            await room.call("announce", message="One.")
        await hears(socket, "One.")


async def test_media_are_played(room: Room) -> None:
    """By whatever FFmpeg can read, over the network only."""
    async with room.satellite() as socket:
        await room.call("announce", media_id="http://radio/song.mp3", preannounce=False)
        assert (await socket.told("announcement"))["text"] == ""
        await hears(socket, BELL)
    (call,) = room.converted
    assert "-protocol_whitelist http,https,tcp,tls,crypto -i http://radio/song.mp3" in call
    assert f"-ac 1 -ar {RATE}" in call


async def test_only_the_beginning_of_something_long_is_played(room: Room) -> None:
    """More than a session keeps would lose its beginning."""
    room.mouth.pause = 2.0
    async with room.satellite() as socket:
        with patch.object(announcement_audio, "MAX_SECONDS", 1):
            await room.call("announce", message="One.")
        await socket.until(lambda: len(socket.pcm) >= 2 * RATE)
        assert len(socket.pcm) == 2 * RATE
        assert text_of(socket.pcm).rstrip("\0") == f"{BELL}One."


async def test_media_that_cannot_be_played_are_an_error(room: Room) -> None:
    """In words for people."""
    room.convert("exit 1")
    async with room.satellite() as socket:
        with pytest.raises(HomeAssistantError, match="nothing that the satellite could play"):
            await room.call("announce", media_id="http://radio/song.mp3", preannounce=False)
        assert room.state == "idle"
        assert "announcement" not in [event["type"] for event in socket.events]


async def test_without_the_program_media_are_an_error(room: Room) -> None:
    """Home Assistant may have been installed by hand."""
    room.hass.data[DATA_FFMPEG] = FFmpegManager(room.hass, "/nowhere/ffmpeg")
    async with room.satellite():
        with pytest.raises(HomeAssistantError, match="nothing that the satellite could play"):
            await room.call("announce", media_id="http://radio/song.mp3", preannounce=False)


@pytest.mark.parametrize(("engine", "satellite"), [(48_000, 24_000), (24_000, 16_000)])
async def test_another_rate_is_converted(room: Room, engine: int, satellite: int) -> None:
    """Engines and satellites have their own; no program is started for that."""
    room.mouth.rate = engine
    audio = {"sampleRate": satellite, "transport": "binary"}
    async with room.satellite(audio=audio) as socket:
        await room.call("announce", message="a" * (engine // 10), preannounce=False)
        await socket.until(lambda: len(socket.pcm) >= 2 * satellite // 10)
        assert array("h", socket.pcm)[satellite // 20] == ord("a")
    assert room.converted == []


@pytest.mark.parametrize(("rate", "width"), [(RATE, 1), (12_345, 2)])
async def test_what_nothing_here_reads_is_converted(room: Room, rate: int, width: int) -> None:
    """Such a WAV file goes to FFmpeg."""
    room.mouth.rate, room.mouth.width = rate, width
    room.convert(f"cat > /dev/null; printf '{BELL}\\000'")
    async with room.satellite() as socket:
        await room.call("announce", message="One.", preannounce=False)
        await hears(socket, BELL)
    assert len(room.converted) == 1


async def test_an_engine_that_says_nothing_is_an_error(room: Room) -> None:
    """It is not waited for without an end."""
    room.mouth.goes_on.clear()
    async with room.satellite():
        with (
            patch.object(announcement_audio, "SPEAK_LIMIT", 0.05),
            pytest.raises(HomeAssistantError, match="nothing that the satellite could play"),
        ):
            await room.call("announce", message="One.", preannounce=False)
        assert room.state == "idle"
    room.mouth.goes_on.set()


async def test_nothing_is_an_error(room: Room) -> None:
    """An engine may make an empty file of a text."""
    room.convert("cat > /dev/null; exit 1")
    async with room.satellite():
        with pytest.raises(HomeAssistantError, match="nothing that the satellite could play"):
            await room.call("announce", message=" ", preannounce=False)


async def test_an_engine_that_fails_is_an_error(room: Room) -> None:
    """Whatever it raises; nothing of it is in the log of the action."""
    room.mouth.error = RuntimeError("broken")
    async with room.satellite():
        with pytest.raises(HomeAssistantError, match="nothing that the satellite could play"):
            await room.call("announce", message="One.", preannounce=False)


async def test_one_that_leaves_meanwhile_is_an_error(room: Room) -> None:
    """Before it was told anything."""
    room.mouth.goes_on.clear()
    async with room.satellite() as socket:
        action = room.begin("announce", message="One.", preannounce=False)
        await asyncio.wait_for(room.mouth.begun.wait(), WAIT_LIMIT)
        await socket.hang_up()
        await until_state(room.hass, ENTITY, "unavailable")
        room.mouth.goes_on.set()
        with pytest.raises(HomeAssistantError, match="not connected"):
            await action


async def test_one_that_leaves_in_the_middle_is_an_error(room: Room) -> None:
    """Whoever announces may try again, or tell it elsewhere."""
    room.mouth.pause = LONG
    async with room.satellite() as socket:
        socket.plays.clear()
        action = room.begin("announce", message="One.", preannounce=False)
        await socket.told("announcement")
        await socket.hang_up()
        with pytest.raises(HomeAssistantError, match="not connected"):
            await action
    await until_state(room.hass, ENTITY, "unavailable")


async def test_one_where_somebody_begins_to_talk_is_busy(room: Room) -> None:
    """Its conversation replaces its standby."""
    room.mouth.pause = LONG
    async with room.satellite() as standby:
        standby.plays.clear()
        action = room.begin("announce", message="One.", preannounce=False)
        await standby.told("announcement")
        async with room.satellite():
            with pytest.raises(SatelliteBusyError, match="in use"):
                await action
            assert room.state == "idle"


async def test_one_that_was_stopped_has_heard_it(room: Room) -> None:
    """Somebody pressed a button: they know."""
    room.mouth.pause = LONG
    async with room.satellite() as socket:
        socket.plays.clear()
        action = room.begin("announce", message="One.", preannounce=False)
        await socket.told("announcement")
        await socket.send("response.cancel")
        await action
        assert room.state == "idle"
        socket.plays.set()


async def test_a_conversation_is_not_interrupted(room: Room) -> None:
    """It is waited for, but not for ever."""
    backend = ScriptedBackend()
    async with room.talking(backend) as socket:
        backend.tell(TurnStarted(turn_id="t"))
        await until_state(room.hass, ENTITY, "listening")
        with (
            patch.object(announcing, "BUSY_LIMIT", 0.05),
            pytest.raises(SatelliteBusyError, match="in use"),
        ):
            await room.call("announce", message="One.", preannounce=False)
        assert room.state == "listening"
        assert "announcement" not in [event["type"] for event in socket.events]


async def test_it_shows_what_a_conversation_does(room: Room) -> None:
    """In the words of Assist."""
    backend = ScriptedBackend()
    async with room.talking(backend) as socket:
        socket.plays.clear()
        backend.tell(TurnStarted(turn_id="t"))
        await until_state(room.hass, ENTITY, "listening")
        backend.tell(SpeechEnded(turn_id="t"), ResponseStarted(turn_id="t"))
        await until_state(room.hass, ENTITY, "processing")
        backend.tell(
            OutputAudio(turn_id="t", pcm=bytes(32_000 * 10)),
            OutputEnded(turn_id="t"),
            TurnEnded(turn_id="t"),
        )
        await until_state(room.hass, ENTITY, "responding")
        socket.plays.set()
        await until_state(room.hass, ENTITY, "idle")
    await until_state(room.hass, ENTITY, "unavailable")


async def test_it_may_talk_with_an_agent_of_another_gateway(room: Room) -> None:
    """It stays the same device."""
    backend = ScriptedBackend()
    async with room.satellite(), ScriptedGateway() as second:
        introduce(second, "cook", gateway_id="cd" * 32)
        other = await add_entry(room.hass, second, "cook", gateway_id="cd" * 32)
        async with room.talking(backend, agent="cook"):
            (session,) = async_voice_sessions(room.hass).hub.sessions
            assert session.info.entry_id == other.entry_id
            backend.tell(TurnStarted(turn_id="t"))
            await until_state(room.hass, ENTITY, "listening")
        assert other.runtime_data.satellites.all == ()


async def test_it_starts_a_conversation(room: Room) -> None:
    """The satellite listens as after its wake word; the agent gets to know what was said."""
    async with room.satellite() as socket:
        with patch.object(async_voice_sessions(room.hass), "async_note_opening") as noted:
            await room.call(
                "start_conversation",
                start_message="Shall I close the windows?",
                extra_system_prompt="It is raining.",
                preannounce=False,
            )
            await socket.told("listen")
        noted.assert_called_once_with(KITCHEN, "Shall I close the windows?\nIt is raining.")
        await hears(socket, "Shall I close the windows?")
        assert room.state == "idle"


async def test_a_conversation_goes_on_from_what_was_said(room: Room) -> None:
    """In a session that is there already the agent is told with the next question."""
    backend = ScriptedBackend()
    async with room.talking(backend) as socket:
        await room.call("start_conversation", start_message="Hello.", preannounce=False)
        await socket.told("listen")
    (note,) = [call[1] for call in backend.calls if call[0] == "note"]
    assert note.splitlines()[-1] == "Hello."


async def test_it_asks_a_question(room: Room) -> None:
    """Home Assistant's own action understands the answer; the agent hears nothing of it."""
    room.ear.text = "Yes, please."
    async with room.satellite(turnDetection={"mode": "manual"}) as socket:
        action = room.begin(
            "ask_question",
            question="Close the windows?",
            preannounce=False,
            answers=[{"id": "yes", "sentences": ["yes [please]"]}],
        )
        await socket.told("listen")
        await asyncio.wait_for(room.ear.listening.wait(), WAIT_LIMIT)
        assert room.state == "listening"
        await socket.speak(bytes(RATE * 2))
        await socket.send("audio.commit")
        answer = await action
        assert room.state == "idle"
    assert answer == {"id": "yes", "sentence": "Yes, please.", "slots": {}}
    (heard,) = room.ear.heard
    assert 31_000 < len(heard) <= 32_000


async def test_an_answer_that_is_cut_off_is_none(room: Room) -> None:
    """It may have been more than what was heard."""
    room.ear.text = "Yes"
    async with room.satellite(turnDetection={"mode": "manual"}) as socket:
        action = room.begin("ask_question", question="Close the windows?", preannounce=False)
        await socket.told("listen")
        await socket.speak(bytes(RATE * 2))
        await asyncio.wait_for(room.ear.listening.wait(), WAIT_LIMIT)
    with pytest.raises(HomeAssistantError, match="not connected"):
        await action
    assert room.ear.heard


async def test_people_have_as_much_time_to_answer_as_was_chosen(room: Room) -> None:
    """By the select of the satellite."""
    async with room.satellite(turnDetection={"mode": "manual"}) as socket:
        selects = [
            each.entity_id
            for each in er.async_get(room.hass).entities.values()
            if each.unique_id.endswith(f"{KITCHEN}-vad_sensitivity")
        ]
        await room.hass.services.async_call(
            "select", "select_option", {"entity_id": selects, "option": "relaxed"}, blocking=True
        )
        hear = RealtimeSession.hear_answer
        with patch.object(RealtimeSession, "hear_answer", autospec=True) as listened:
            listened.side_effect = hear
            action = room.begin("ask_question", question="Well?", preannounce=False)
            await socket.told("listen")
            await socket.speak(bytes(RATE * 2))
            await socket.send("audio.commit")
            await action
    assert listened.call_args.kwargs == {"silence": 1.25}


async def test_an_engine_that_fails_hears_no_longer(room: Room) -> None:
    """The microphone is free again at once."""
    room.ear.error = RuntimeError("broken")
    async with room.satellite() as socket:
        with pytest.raises(HomeAssistantError, match=r"(?i)no answer"):
            await room.call("ask_question", question="Well?", preannounce=False)
        async with asyncio.timeout(WAIT_LIMIT / 2):
            await socket.told("listen.ended")
        assert room.state == "idle"


async def test_a_question_nobody_answers_is_an_error(room: Room) -> None:
    """The satellite may leave, and nobody may say a word."""
    room.ear.text = ""
    async with room.satellite() as socket:
        action = room.begin("ask_question", question="Well?", preannounce=False)
        await socket.told("listen")
        await socket.hang_up()
        with pytest.raises(HomeAssistantError, match="not connected"):
            await action
    await until_state(room.hass, ENTITY, "unavailable")


async def test_without_a_pipeline_of_its_agent_the_preferred_one_speaks(room: Room) -> None:
    """There is always one."""
    await forget_pipelines(room.hass)
    await prefer(room.hass, await add_pipeline(room.hass, name="Theirs", tts_voice="ada"))
    async with room.satellite() as socket:
        await room.call("announce", message="One.", preannounce=False)
        await hears(socket, "One.")
    assert room.mouth.voices == ["ada"]


async def test_a_preferred_pipeline_that_only_speaks_will_do(room: Room) -> None:
    """For an announcement nobody has to be understood."""
    await forget_pipelines(room.hass)
    await prefer(room.hass, await add_pipeline(room.hass, stt_engine=None, stt_language=None))
    async with room.satellite() as socket:
        await room.call("announce", message="One.", preannounce=False)
        await hears(socket, "One.")


async def test_with_several_agents_the_chosen_one_counts(room: Room) -> None:
    """Nobody can tell which one answers while none is chosen."""
    await prefer(room.hass, await add_pipeline(room.hass, name="Theirs", tts_voice="ada"))
    entry = room.hass.config_entries.async_entries(DOMAIN)[0]
    cook = ConfigSubentry(
        data=MappingProxyType({CONF_AGENT_ID: "cook"}),
        subentry_type=SUBENTRY_AGENT,
        title="cook",
        unique_id="cook",
    )
    room.hass.config_entries.async_add_subentry(entry, cook)
    await room.hass.async_block_till_done()
    async with room.satellite() as socket:
        await room.call("announce", message="One.", preannounce=False)
        entry.runtime_data.memory.choose_agent(ENTITY, "subentry-main")
        await room.call("announce", message="Two.", preannounce=False)
        await hears(socket, "One.Two.")
    assert room.mouth.voices == ["ada", None]


async def forget_pipelines(hass: HomeAssistant) -> None:
    """Delete those of our agent."""
    pipelines = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
    for pipeline in list(pipelines.async_items()):
        if pipeline.conversation_engine == AGENT:
            await pipelines.async_delete_item(pipeline.id)


async def prefer(hass: HomeAssistant, pipeline_id: str) -> None:
    """Have a pipeline used where none is chosen."""
    hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_set_preferred_item(pipeline_id)


async def test_a_pipeline_can_be_chosen_for_it(room: Room) -> None:
    """People may choose one for each satellite, as for any other."""
    await add_pipeline(room.hass, name="Other", conversation_engine=AGENT, tts_voice="ada")
    async with room.satellite() as socket:
        selects = [
            each.entity_id
            for each in er.async_get(room.hass).entities.values()
            if each.unique_id.endswith(f"{KITCHEN}-pipeline")
        ]
        await room.hass.services.async_call(
            "select", "select_option", {"entity_id": selects, "option": "Other"}, blocking=True
        )
        await room.call("announce", message="One.", preannounce=False)
        await hears(socket, "One.")
    assert room.mouth.voices == ["ada"]


async def test_wake_words_are_its_own(room: Room) -> None:
    """There is nothing to configure."""
    async with room.satellite():
        entity = room.hass.data[DATA_COMPONENT].get_entity(ENTITY)
        assert entity is not None
        configuration = entity.async_get_configuration()
        assert (configuration.available_wake_words, configuration.max_active_wake_words) == ([], 0)
        await entity.async_set_configuration(configuration)
        assert room.state == "idle"

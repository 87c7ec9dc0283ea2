"""Engines that need no time, in a pipeline of Home Assistant."""

from array import array

from homeassistant.components import conversation
from homeassistant.components.tts.entity import TTSAudioRequest
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from demo.bench import instant_voice
from demo.bench.instant_voice import engines
from demo.bench.realtime.assist import AGENT, VOICE, trimmed


def test_the_bench_asks_the_engines_it_brings() -> None:
    """It must not import them."""
    assert engines.AGENT == AGENT
    assert VOICE == {
        "stt_engine": engines.EARS,
        "stt_language": engines.LANGUAGE,
        "tts_engine": engines.VOICE,
        "tts_language": engines.LANGUAGE,
    }


def test_speech_ends_with_its_last_loud_sample() -> None:
    """Silence after it would count as ours."""
    speech = array("h", [0, 900, 3, -700, 10, 0])
    assert trimmed(speech.tobytes()) == speech[:4].tobytes()
    assert trimmed(bytes(8)) == b""


@pytest.fixture
async def home(hass: HomeAssistant) -> HomeAssistant:
    """Return a Home Assistant with the engines."""
    for name in ("homeassistant", "conversation", "stt", "tts"):
        assert await async_setup_component(hass, name, {})
    assert await instant_voice.async_setup(hass, {})
    await hass.async_block_till_done()
    return hass


async def test_the_agent_answers(home: HomeAssistant) -> None:
    """In words that stream."""
    result = await conversation.async_converse(
        home, "what time is it", None, Context(), agent_id=engines.AGENT
    )
    speech = result.response.speech["plain"]["speech"]
    assert speech.strip() == engines.ANSWER
    assert home.states.get(engines.EARS)
    assert home.states.get(engines.VOICE)


async def test_the_voice_begins_with_the_first_words() -> None:
    """It does not wait for the rest."""

    async def words():  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield "It is"
        raise AssertionError("nobody has to ask for more")

    voice = engines.InstantVoice()
    request = TTSAudioRequest(language="en", options={}, message_gen=words())
    response = await voice.async_stream_tts_audio(request)
    assert (await anext(response.data_gen)).startswith(b"RIFF")
    assert len(await anext(response.data_gen)) == engines.RATE * 2

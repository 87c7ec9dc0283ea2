"""Through an Assist pipeline, as the dialog and satellites ask: what arrives, and when."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, override

from homeassistant.components import tts
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import (
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    ended,
    failed,
    response_aborted,
    response_failed,
    response_ok,
    response_silent,
    said,
    silent,
    started,
    tool_ended,
    tool_started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response, wait_for

from .support import AGENT, add_entry

VOICE = "tts.voice"
LONG = "This answer is long enough for Home Assistant to begin to speak before it is complete. "
SENTENCE = "Der Agent konnte seine Antwort nicht zu Ende bringen."


class Assist:
    """A client of Home Assistant's WebSocket API that asks through a pipeline."""

    def __init__(self, client: MockHAClientWebSocket) -> None:
        """Ask over an authenticated connection."""
        self.client = client
        self._pipeline = ""
        self.run_id = 0

    async def create_pipeline(self, **fields: object) -> None:
        """Make the pipeline to ask through."""
        await self.client.send_json_auto_id(
            {
                "type": "assist_pipeline/pipeline/create",
                "name": "Ours",
                "language": "de",
                "conversation_engine": AGENT,
                "conversation_language": "*",
                "stt_engine": None,
                "stt_language": None,
                "tts_engine": None,
                "tts_language": None,
                "tts_voice": None,
                "wake_word_entity": None,
                "wake_word_id": None,
            }
            | fields
        )
        self._pipeline = (await self.client.receive_json())["result"]["id"]

    async def start(self, text: str = "Hallo", *, end_stage: str = "intent", **more: str) -> None:
        """Start a run."""
        await self.client.send_json_auto_id(
            {
                "type": "assist_pipeline/run",
                "pipeline": self._pipeline,
                "start_stage": "intent",
                "end_stage": end_stage,
                "input": {"text": text},
            }
            | more
        )
        started_run = await self.client.receive_json()
        assert started_run["success"]
        self.run_id = started_run["id"]

    async def next(self) -> dict[str, Any]:
        """Return the next event of the run."""
        async with asyncio.timeout(10):
            event: dict[str, Any] = (await self.client.receive_json())["event"]
        return event

    async def rest(self) -> list[dict[str, Any]]:
        """Return the events up to the end of the run."""
        events = [await self.next()]
        while events[-1]["type"] != "run-end":
            events.append(await self.next())
        return events

    async def ask(self, text: str = "Hallo", **more: str) -> list[dict[str, Any]]:
        """Return all events of a run."""
        await self.start(text, **more)
        return await self.rest()


@pytest.fixture
async def assist(
    home: HomeAssistant, hass_ws_client: WebSocketGenerator, friendly: ScriptedGateway
) -> Assist:
    """Return a client whose pipeline has our agent."""
    assert await async_setup_component(home, "assist_pipeline", {})
    await add_entry(home, friendly)
    assist = Assist(await hass_ws_client(home))
    await assist.create_pipeline()
    return assist


def deltas_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the deltas of the chat log among events."""
    return [
        event["data"]["chat_log_delta"]
        for event in events
        if event["type"] == "intent-progress" and "chat_log_delta" in event["data"]
    ]


def output_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the pipeline came to."""
    [end] = [event for event in events if event["type"] == "intent-end"]
    output: dict[str, Any] = end["data"]["intent_output"]
    return output


def speech_of(events: list[dict[str, Any]]) -> str | None:
    """Return what is read aloud at the end."""
    speech: str | None = output_of(events)["response"]["speech"].get("plain", {}).get("speech")
    return speech


async def test_text_arrives_while_the_agent_still_speaks(
    assist: Assist, friendly: ScriptedGateway
) -> None:
    """Every piece is passed on at once; nothing waits for the end."""
    go_on = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            params={"message": "Wie spät ist es?"},
            reply=accepted(),
            emit=[started(), said("Es ist "), wait_for(go_on), answered("zwölf.")[1:]],
        )
    )
    await assist.start("Wie spät ist es?")
    events = [await assist.next()]
    while {"content": "Es ist "} not in deltas_of(events):
        events.append(await assist.next())
    go_on.set()
    events += await assist.rest()
    assert deltas_of(events) == [
        {"role": "assistant"},
        {"content": "Es ist "},
        {"content": "zwölf."},
    ]
    assert speech_of(events) == "Es ist zwölf."
    assert output_of(events)["response"]["response_type"] == "action_done"
    [start] = [event for event in events if event["type"] == "intent-start"]
    assert start["data"]["engine"] == AGENT


async def test_text_before_a_tool_the_tool_and_the_answer_are_told_apart(
    assist: Assist, friendly: ScriptedGateway
) -> None:
    """The dialog shows the tool under its details."""
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                started(),
                said("Ich sehe nach."),
                tool_started("exec", {"command": "uptime"}),
                tool_ended("up 3 days"),
                said("Drei Tage."),
                ended(),
                response_ok(),
            ],
        )
    )
    events = await assist.ask()
    deltas = deltas_of(events)
    assert deltas[0:2] == [{"role": "assistant"}, {"content": "Ich sehe nach."}]
    [call] = deltas[2]["tool_calls"]
    assert (call["tool_name"], call["tool_args"]) == ("exec", {"command": "uptime"})
    assert call["external"] is True
    assert deltas[3]["role"] == "tool_result"
    assert deltas[3]["tool_call_id"] == call["id"]
    assert deltas[3]["result"] == {"data": {"result": "up 3 days"}, "error": False}
    assert deltas[4:] == [{"role": "assistant"}, {"content": "Drei Tage."}]
    assert speech_of(events) == "Drei Tage."


async def test_a_silent_answer_that_is_heard_ends_the_run_without_error(
    assist: Assist, friendly: ScriptedGateway
) -> None:
    """No delta, no speech, no error."""
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), silent(), response_silent()])
    )
    events = await assist.ask(device_id="speaker")
    assert [event["type"] for event in events] == [
        "run-start",
        "intent-start",
        "intent-end",
        "run-end",
    ]
    assert speech_of(events) is None
    assert output_of(events)["response"]["response_type"] == "action_done"


@pytest.mark.parametrize("before", ["", "Der Anfang "])
async def test_a_failure_is_a_message_of_its_own_in_the_language_of_the_pipeline(
    assist: Assist, friendly: ScriptedGateway, before: str
) -> None:
    """Whoever reads along sees why it ends; whoever waits for the end gets all of it."""
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), *([said(before)] if before else []), failed(), response_failed()],
        )
    )
    events = await assist.ask()
    assert deltas_of(events)[-1] == {"role": "assistant", "content": SENTENCE}
    assert speech_of(events) == before + SENTENCE
    assert output_of(events)["response"]["response_type"] == "error"
    assert not [event for event in events if event["type"] == "error"]


async def test_closing_the_dialog_aborts_the_run(assist: Assist, friendly: ScriptedGateway) -> None:
    """The gateway stops working on an answer that nobody reads."""
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Eins, ")]),
        Expect(
            "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
        ),
    )
    await assist.start()
    run = await friendly.wait_for_request("agent")
    await friendly.played()
    await assist.client.send_json_auto_id(
        {"type": "unsubscribe_events", "subscription": assist.run_id}
    )
    abort = await friendly.wait_for_request("chat.abort")
    assert abort.params["runId"] == run.params["idempotencyKey"]


class StreamingVoice(tts.TextToSpeechEntity):
    """A voice that begins to speak before the text is complete, and remembers what it was given."""

    _attr_name = "Voice"
    _attr_default_language = "de"

    def __init__(self) -> None:
        """Nothing said yet."""
        self._attr_supported_languages = ["de"]
        self.said: list[str] = []

    @override
    async def async_stream_tts_audio(self, request: tts.TTSAudioRequest) -> tts.TTSAudioResponse:
        """Take in the text while audio is fetched."""

        async def speak() -> AsyncGenerator[bytes]:
            text = "".join([piece async for piece in request.message_gen])
            self.said.append(text)
            yield text.encode()

        return tts.TTSAudioResponse("mp3", speak())


@pytest.fixture
async def voice(
    home: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StreamingVoice:
    """Return a voice that pipelines can use."""
    monkeypatch.setattr(tts, "_init_tts_cache_dir", lambda *_: str(tmp_path))
    assert await async_setup_component(home, "tts", {})
    voice = StreamingVoice()
    await home.data[tts.DATA_COMPONENT].async_add_entities([voice])
    return voice


@pytest.mark.parametrize(
    ("emit", "heard"),
    [
        pytest.param(
            [started(), said(LONG), failed(), response_failed()],
            f"{LONG}{SENTENCE}",
            id="failure in a long answer",
        ),
        pytest.param(
            [started(), said("Kurz. "), failed(), response_failed()],
            f"Kurz. {SENTENCE}",
            id="failure in a short answer",
        ),
        pytest.param([started(), failed(), response_failed()], SENTENCE, id="failure at once"),
        pytest.param(
            [
                started(),
                said("Ich sehe nach."),
                tool_started(),
                tool_ended(),
                said("Fertig."),
                ended(),
                response_ok(),
            ],
            "Ich sehe nach. Fertig.",
            id="two messages",
        ),
    ],
)
async def test_everything_is_heard_once(
    voice: StreamingVoice,
    assist: Assist,
    friendly: ScriptedGateway,
    emit: list[Any],
    heard: str,
) -> None:
    """Whether the voice began early or waited for the end, the user hears the same."""
    await assist.create_pipeline(tts_engine=VOICE, tts_language="de")
    friendly.script(Expect("agent", reply=accepted(), emit=emit))
    await assist.start(end_stage="tts")
    events = await assist.rest()
    [start] = [event for event in events if event["type"] == "run-start"]
    stream = tts.async_get_stream(voice.hass, start["data"]["tts_output"]["token"])
    assert stream is not None
    audio = b"".join([chunk async for chunk in stream.async_stream_result()])
    assert audio.decode() == heard
    assert voice.said == [heard]

"""Realtime satellites in a real Home Assistant: both backends, with real speech, and what they are told."""

import asyncio
from collections.abc import Sequence
import json
import signal

import pytest

from demo.client import HomeAssistantClient
from demo.model_server import ModelRequest
from demo.process import CHECKOUT
from demo.realtime import BACKENDS
from demo.realtime_lessons import (
    ANSWER_SHARE,
    GARDEN,
    INTERRUPT_AFTER,
    LESSONS,
    QUESTION_SHARE,
    STORY,
    WEATHER,
    prove_conversation,
)
from demo.realtime_session import Conversation, converse
from demo.voice.likeness import plain_words, share_heard

from .administrator import Administrator
from .aloud import MODEL_LIMIT, LateAnswers, new_word
from .live import Attic, device_of, entities_of, entity_of, tell
from .test_telling import _change

LIMIT = 400.0
"""Seconds for one run of the demo. It takes 70."""

CLEAR_LIMIT = 1000.0
"""Milliseconds from an interruption until the satellite is told to be silent. It takes 10."""

ENTITIES = {
    "assist_satellite:",
    "binary_sensor:session_active",
    "number:volume",
    "select:pipeline",
    "select:vad_sensitivity",
    "sensor:time_to_first_audio",
    "switch:mute",
}
"""Those of a satellite. With several agents there is one more."""


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
    client: HomeAssistantClient, attic: Attic, backend: str
) -> None:
    """One turn is interrupted, and in the other the speech model, too, asks the agent."""
    lessons = (STORY, GARDEN)
    known = len(attic.model_server.requests)
    seen = await converse(
        client.url,
        client.token,
        [lesson.question for lesson in lessons],
        backend=backend,
        agent=attic.agent.entity_id,
        interrupt_after=INTERRUPT_AFTER,
    )

    heard = [await attic.recogniser.hear(answered.sound) for answered in seen.answers]
    prove_conversation(seen, lessons, backend, heard)
    cut = seen.answers[0].turn
    said, story = plain_words(cut.assistant), plain_words(STORY.answer)
    assert cut.clear_ms is not None
    assert cut.clear_ms < CLEAR_LIMIT
    assert said == story[: len(said)]
    assert len(said) < len(story)
    asked = agents_questions(seen, attic.model_server.requests[known:])
    everybody = {lesson.question for lesson in lessons}
    assert asked.keys() == ({GARDEN.question} if backend == "gateway" else everybody)
    assert "Kitchen" in str(asked[GARDEN.question].messages)


def agents_questions(
    seen: Conversation, requests: Sequence[ModelRequest]
) -> dict[str, ModelRequest]:
    """Return the questions that the agent was asked, with what its model was sent."""
    return {
        answered.question: request
        for answered in seen.answers
        for request in requests
        if share_heard(answered.turn.user, request.user_text) == 1
    }


@pytest.mark.e2e
@pytest.mark.usefixtures("speech_model", "voice_pipeline", "no_satellites_left")
async def test_a_satellite_is_told_and_asked(client: HomeAssistantClient, attic: Attic) -> None:
    """In standby and in a conversation, which Home Assistant begins; it is a device with its entities."""
    said = "The window in the kitchen is open, and the door is closed."
    opening, prompt = "What can I do for you?", f"The code is {new_word()}."
    async with attic.stand_by("told-1") as standby:
        device = await device_of(client, "told-1")
        assert device is not None
        assert (device["name"], device["area_id"]) == ("In the attic", await client.area("Attic"))
        entities = await entities_of(client, "told-1")
        assert entities.keys() - {"select:agent"} == ENTITIES
        entity_id = entities["assist_satellite:"]
        await client.wait_for_state(entity_id, lambda state: state == "idle")

        await tell(client, "announce", entity_id=entity_id, message=said)
        assert standby.report.announcements == [said]
        assert await attic.tells(standby, said)

        await standby.person.prepare("Yes, close the window.")
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
            client,
            "start_conversation",
            entity_id=entity_id,
            start_message=opening,
            extra_system_prompt=prompt,
        )
        assert await standby.ended() == (1000, "client_ended")
        assert standby.report.wants_to_talk
        assert standby.report.errors == []

    async with attic.talk("told-1") as live:
        assert (await live.ask(GARDEN.question)).assistant == GARDEN.answer
        told = str(attic.model_server.requests[-1].messages)
        assert opening in told
        assert prompt in told
        assert await attic.tells(live, GARDEN.answer)

        await tell(client, "announce", entity_id=entity_id, message=said)
        assert await attic.tells(live, said)
        assert (await live.ask(WEATHER.question)).assistant == WEATHER.answer
    await client.wait_for_state(entity_id, lambda state: state == "unavailable")
    assert live.report.errors == []


@pytest.mark.e2e
@pytest.mark.usefixtures("speech_model", "voice_pipeline", "no_satellites_left")
async def test_who_leaves_a_conversation_hears_the_answer_in_standby(
    client: HomeAssistantClient, attic: Attic, owner: Administrator, late: LateAnswers
) -> None:
    """Somebody hangs up while the agent works. What the gateway itself tells is said there, too."""
    word = new_word()
    text = f"{GARDEN.answer} {word}."
    model = attic.model_server
    model.teach(GARDEN.question, f"MODEL:HOLD {text}")
    known = len(model.requests)
    async with attic.talk("late-1") as live:
        await live.person.say(GARDEN.question)
        await model.wait_for(lambda requests: len(requests) > known, limit=MODEL_LIMIT)
        live.hang_up()

    async with attic.stand_by("late-1") as standby:
        entity_id = await entity_of(client, "late-1")
        model.release(text)
        event = await late.with_words(word)
        assert (event["status"], event["text"]) == ("answered", text)
        assert (event["agent"], event["satellite"]) == ("main", entity_id)
        # That it is about a question from before is said first.
        assert (await standby.until_told(word)).endswith(text)
        assert await attic.tells(standby, text)
        assert len(model.requests) == known + 1, "it was asked again"

        before = await _change(client, attic.agent, satellites=[entity_id], kinds=["job_finished"])
        bins = f"The bins {new_word()} go out."
        await owner.run_job("Bins", f"MODEL:SAY {bins}")
        assert bins in await standby.until_told(bins)
        await _change(client, attic.agent, **before)

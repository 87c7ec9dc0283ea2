"""What people say after a message goes to the agent, and into the session, of the message."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from homeassistant.components.assist_pipeline import async_get_pipeline, async_update_pipeline
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.outbox import queue
from custom_components.openclaw_voice.outbox.delivery import async_delivery
from custom_components.openclaw_voice.outbox.late_answer import LateAnswer
from custom_components.openclaw_voice.outbox.late_answers import Outbox
from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from custom_components.openclaw_voice.outbox.replies import REPLY_TIME, Expected
from custom_components.openclaw_voice.voice_context import opened_with
from tests.fakes.frames import accepted, answered
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal

from .notifications import tell
from .satellite import add_satellite, add_voice
from .support import WAIT_LIMIT, add_entry, ask, introduce, make_entry, speech_of
from .turns import KITCHEN

pytestmark = pytest.mark.usefixtures("home")

BRIEFING: Final = "agent:cook:cron:briefing:run:1"
SAID: Final = "Dinner\nShall I order the fresh vegetables for tonight?"
ALOUD: Final = "Dinner: Shall I order the fresh vegetables for tonight?"
TOLD: Final = "Dinner Shall I order the fresh vegetables for tonight?"


@pytest.fixture
async def entry(hass: HomeAssistant, gateway: ScriptedGateway) -> MockConfigEntry:
    """Return an entry with two agents; the satellites ask the first one."""
    introduce(gateway, "main", "cook")
    gateway.anytime(Expect("chat.history", reply={"messages": [row("assistant", SAID, "run-0")]}))
    return await add_entry(hass, gateway, "main", "cook", options={"cook": {"model": "a/b"}})


@pytest.fixture(autouse=True)
def nothing_else(hass: HomeAssistant) -> Iterator[None]:
    """Leave no reply expected for the next test."""
    yield
    async_delivery(hass).replies.take(KITCHEN, dt_util.utcnow())


def expect(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    session_key: str | None = BRIEFING,
    *,
    ago: timedelta = timedelta(0),
) -> None:
    """Let the cook have said something in the kitchen just now."""
    expected = Expected(
        entry_id=entry.entry_id, agent_id="cook", session_key=session_key, said=SAID, aloud=ALOUD
    )
    async_delivery(hass).replies.expect(KITCHEN, expected, dt_util.utcnow() - ago)


def row(role: str, text: str, run_id: str) -> dict[str, Any]:
    """Return a row of a history."""
    return {"role": role, "content": text, "__openclaw": {"runId": run_id}}


def reply_is_expected(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what is set once a reply is expected."""
    replies = async_delivery(hass).replies
    note, noted = replies.expect, asyncio.Event()

    def expect(satellite_id: str, expected: Expected, now: datetime) -> None:
        note(satellite_id, expected, now)
        noted.set()

    monkeypatch.setattr(replies, "expect", expect)
    return noted


def script(gateway: ScriptedGateway, *texts: str) -> None:
    """Let agents answer."""
    gateway.script(*[Expect("agent", reply=accepted(), emit=answered(text)) for text in texts])


def asked(gateway: ScriptedGateway) -> list[str]:
    """Return the sessions that were asked."""
    return [request.params["sessionKey"] for request in gateway.received("agent")]


def is_usual(session_key: str) -> bool:
    """Tell whether a question went to the agent of the pipeline, where it always goes."""
    return session_key.startswith("agent:main:homeassistant:")


async def test_the_first_words_go_where_the_message_belongs(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """The agent knows what it is answered, and once; the next question goes where they all go."""
    expect(hass, entry)
    script(gateway, "I have ordered them.", "At seven.")
    result = await ask(
        hass, "Yes, please.", satellite_id=KITCHEN, extra_system_prompt=f"Mail: From Anna. {ALOUD}"
    )
    assert speech_of(result) == "I have ordered them."
    await ask(hass, "When is dinner?", satellite_id=KITCHEN)
    reply, question = gateway.received("agent")
    assert reply.params["sessionKey"] == BRIEFING
    assert TOLD in reply.params["extraSystemPrompt"]
    assert ALOUD not in reply.params["extraSystemPrompt"]
    assert "Mail" not in reply.params["extraSystemPrompt"]
    assert is_usual(question.params["sessionKey"])
    assert TOLD not in question.params["extraSystemPrompt"]


@pytest.mark.parametrize("opening", ["", opened_with(ALOUD)])
async def test_what_a_satellite_adds_is_not_lost_in_a_reply(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway, opening: str
) -> None:
    """One that talks in real time has instructions, and what was said before; none of it twice."""
    expect(hass, entry)
    script(gateway, "I have ordered them.")
    added = f"- You: Hello.\nWhisper.\n{opening}".strip()
    await ask(hass, "Yes, please.", satellite_id=KITCHEN, extra_system_prompt=added)
    [reply] = gateway.received("agent")
    told = reply.params["extraSystemPrompt"]
    assert told.endswith("- You: Hello.\nWhisper.")
    assert TOLD in told


async def test_words_elsewhere_are_questions(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """At another satellite, or typed; the reply may still come."""
    expect(hass, entry)
    script(gateway, *["Yes."] * 3)
    await ask(hass, satellite_id="assist_satellite.hall")
    await ask(hass)
    await ask(hass, satellite_id=KITCHEN)
    hall, typed, kitchen = asked(gateway)
    assert is_usual(hall)
    assert is_usual(typed)
    assert kitchen == BRIEFING


async def test_words_that_come_later_are_a_question(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """After a minute nobody thinks of the message any more."""
    expect(hass, entry, ago=REPLY_TIME)
    script(gateway, "Yes.")
    await ask(hass, satellite_id=KITCHEN)
    [key] = asked(gateway)
    assert is_usual(key)


async def test_what_the_agent_asks_back_is_answered_there_too(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """It is not told its message again."""
    expect(hass, entry)
    script(gateway, "How many?", "Okay.", "Hello.")
    result = await ask(hass, "Yes.", satellite_id=KITCHEN)
    assert result.continue_conversation
    await ask(hass, "Two.", satellite_id=KITCHEN, extra_system_prompt="Be brief.")
    await ask(hass, satellite_id=KITCHEN)
    first, second, third = asked(gateway)
    assert first == second == BRIEFING
    assert is_usual(third)
    prompt = gateway.received("agent")[1].params["extraSystemPrompt"]
    assert TOLD not in prompt
    assert "Be brief." in prompt


async def test_a_message_without_a_session_is_answered_where_questions_belong(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """With its agent, who is told what it has said."""
    expect(hass, entry, session_key=None)
    hass.config_entries.async_update_subentry(
        entry, entry.subentries["subentry-cook"], data={"agent_id": "cook"}
    )
    script(gateway, "Okay.")
    await ask(hass, satellite_id=KITCHEN)
    [request] = gateway.received("agent")
    assert request.params["sessionKey"].startswith("agent:cook:homeassistant:")
    assert TOLD in request.params["extraSystemPrompt"]


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_session_that_is_gone_is_not_begun_anew(
    hass: HomeAssistant, gateway: ScriptedGateway, *, is_known: bool
) -> None:
    """As those of scheduled jobs are; nor one of which nothing can be learnt. The agent is told."""
    introduce(gateway, "main", "cook")
    empty: list[dict[str, Any]] = []
    history = {"messages": empty} if is_known else Refusal(message="no such thing", details={})
    gateway.anytime(Expect("chat.history", reply=history))
    entry = await add_entry(hass, gateway, "main", "cook")
    expect(hass, entry)
    script(gateway, "Okay.")
    await ask(hass, "Yes.", satellite_id=KITCHEN)
    [request] = gateway.received("agent")
    assert request.params["sessionKey"].startswith("agent:cook:homeassistant:")
    assert TOLD in request.params["extraSystemPrompt"]


async def test_a_message_of_a_side_session_is_answered_in_its_session(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """What is said aside is over by then, or is asked aside again."""
    script(gateway, "Hello.", "Okay.")
    await ask(hass, conversation_id="x")
    [key] = asked(gateway)
    own = key.replace("agent:main:", "agent:cook:")
    expect(hass, entry, session_key=f"{own}:aside")
    await ask(hass, satellite_id=KITCHEN)
    assert asked(gateway)[1] == own


async def test_a_reply_is_asked_aside_while_a_task_goes_on_in_the_session(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """The gateway would let it wait; the agent is told both."""
    task = LateAnswer(
        id="run-1",
        agent_id="cook",
        subentry_id="subentry-cook",
        session_key=BRIEFING,
        run_id="run-1",
        question="Plan the week.",
        language="en",
        created=dt_util.utcnow(),
    )
    expect(hass, entry)
    gateway.anytime(Expect("sessions.patch", reply={"ok": True, "key": "x", "entry": {}}))
    script(gateway, "Okay.")
    with patch.object(Outbox, "open_in", lambda _, key: task if key == BRIEFING else None):
        await ask(hass, "Yes.", satellite_id=KITCHEN)
    [request] = gateway.received("agent")
    key = request.params["sessionKey"]
    assert key.startswith("agent:cook:homeassistant:")
    assert key.endswith(":aside")
    assert TOLD in request.params["extraSystemPrompt"]
    assert "Plan the week." in request.params["extraSystemPrompt"]


async def test_an_agent_that_is_gone_is_not_answered(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """Whoever is asked at the satellite answers, as to any question."""
    hass.config_entries.async_remove_subentry(entry, "subentry-cook")
    await hass.async_block_till_done()
    expect(hass, entry)
    script(gateway, "Yes.", "Yes.")
    await ask(hass, satellite_id=KITCHEN)
    expected = Expected(entry_id="gone", agent_id="main", session_key=None, said=SAID)
    async_delivery(hass).replies.expect(KITCHEN, expected, dt_util.utcnow())
    await ask(hass, satellite_id=KITCHEN)
    assert all(is_usual(key) for key in asked(gateway))


async def test_an_agent_that_has_vanished_from_the_gateway_is_not_answered(
    hass: HomeAssistant, gateway: ScriptedGateway
) -> None:
    """Its entity is still there, and would only apologise."""
    introduce(gateway, "main")
    entry = await add_entry(hass, gateway, "main", "cook")
    await entry.runtime_data.directory.async_read_now()
    expect(hass, entry)
    script(gateway, "Yes.")
    await ask(hass, satellite_id=KITCHEN)
    [key] = asked(gateway)
    assert is_usual(key)


async def test_another_gateway_can_be_answered(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """The satellite asks an agent of this one, the message came from that one, while it is there."""
    async with ScriptedGateway() as other:
        introduce(other, "cook", gateway_id="cd" * 32)
        other.anytime(Expect("chat.history", reply={"messages": [row("assistant", SAID, "x")]}))
        other_entry = make_entry(hass, other, "cook", gateway_id="cd" * 32)
        assert await hass.config_entries.async_setup(other_entry.entry_id)
        expect(hass, other_entry)
        script(other, "Okay.")
        await ask(hass, "Yes.", satellite_id=KITCHEN)
        assert asked(other) == [BRIEFING]
        expect(hass, other_entry)
        assert await hass.config_entries.async_unload(other_entry.entry_id)
        expect(hass, other_entry)
        script(gateway, "Hello.")
        await ask(hass, satellite_id=KITCHEN)
        [key] = asked(gateway)
        assert is_usual(key)


async def test_an_echo_of_the_message_is_no_reply(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """The satellite has heard its own last words, and listens on; then the reply comes."""
    expect(hass, entry)
    script(gateway, "Okay.")
    result = await ask(hass, "fresh vegetables for tonight", satellite_id=KITCHEN)
    assert result.continue_conversation
    assert gateway.received("agent") == []
    await ask(hass, "Yes.", satellite_id=KITCHEN)
    [request] = gateway.received("agent")
    assert request.params["sessionKey"] == BRIEFING
    assert TOLD in request.params["extraSystemPrompt"]


async def test_stop_is_about_the_message(
    hass: HomeAssistant, entry: MockConfigEntry, gateway: ScriptedGateway
) -> None:
    """Nothing runs in its session; it has been said."""
    expect(hass, entry)
    result = await ask(hass, "Stop", satellite_id=KITCHEN)
    assert speech_of(result) == "Okay, I stopped."
    assert gateway.received("agent") == []


async def test_a_message_is_said_and_answered(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    gateway: ScriptedGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All the way, from the notifier to the session."""
    monkeypatch.setattr(queue, "IDLE_TIME", timedelta(0))
    await add_voice(hass, tmp_path, monkeypatch)
    pipeline = async_get_pipeline(hass)
    await async_update_pipeline(hass, pipeline, conversation_engine="conversation.main")
    kitchen = await add_satellite(hass, "kitchen", can_listen=True)
    listens = reply_is_expected(hass, monkeypatch)
    hass.config_entries.async_update_entry(
        entry, options={"satellites": [KITCHEN], "listens": True}
    )
    tell(
        hass,
        entry,
        Notification(
            id="job:1",
            kind=NotificationKind.JOB_FINISHED,
            title="Dinner",
            message="Shall I order the **fresh vegetables** for tonight?",
            agent_id="cook",
            session_key=BRIEFING,
            time=dt_util.utcnow(),
        ),
    )
    said = "Dinner: Shall I order the fresh vegetables for tonight?"
    assert await kitchen.begins() == said
    async with asyncio.timeout(WAIT_LIMIT):
        await listens.wait()
    script(gateway, "Okay.")
    await ask(hass, "Yes.", satellite_id=KITCHEN, extra_system_prompt=said)
    assert asked(gateway) == [BRIEFING]
    [request] = gateway.received("agent")
    assert said not in request.params["extraSystemPrompt"]

"""A turn with an agent: what people get, and what the gateway is asked."""

import asyncio
from typing import Any

from homeassistant.components import conversation
from homeassistant.components.conversation.chat_log import DATA_CHAT_LOGS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import instance_id, intent, llm
import pytest

from custom_components.openclaw_voice.assist.context import INTRODUCTION
from custom_components.openclaw_voice.assist.session_key import home_of, is_ours
from tests.fakes.frames import (
    abort_settled,
    aborted,
    accepted,
    answered,
    empty,
    ended,
    failed,
    response_aborted,
    response_empty,
    response_failed,
    response_ok,
    response_silent,
    said,
    silent,
    started,
    tool_ended,
    tool_started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, abort_response, drop, wait_for
from tests.fakes.refusals import Refusal

from .support import AGENT, add_entry, ask, speech_of, state_change

pytestmark = pytest.mark.usefixtures("home")

LINK = "https://media.example/cat.png"


async def test_an_answer_comes_back(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """The words go to the agent of the subentry, the answer is the result."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("It is ", "noon.")))
    result = await ask(hass, "What time is it?")
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert speech_of(result) == "It is noon."
    assert not result.continue_conversation
    [request] = friendly.received("agent")
    assert request.params["message"] == "What time is it?"
    assert request.params["extraSystemPrompt"].startswith(f"{INTRODUCTION}\n")


async def test_a_conversation_is_a_session_of_the_gateway(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Two turns of a conversation share a session, and each sends its own words only."""
    await add_entry(hass, friendly)
    friendly.script(
        *[Expect("agent", reply=accepted(), emit=answered(word)) for word in ("A", "B", "C")]
    )
    first = await ask(hass, "One")
    assert first.conversation_id is not None
    second = await ask(hass, "Two", conversation_id=first.conversation_id)
    other = await ask(hass, "Three")
    assert second.conversation_id == first.conversation_id != other.conversation_id
    keys = [request.params["sessionKey"] for request in friendly.received("agent")]
    home = await instance_id.async_get(hass)
    prefix = f"agent:main:homeassistant:{home_of(home)}:conversation:"
    assert keys[:2] == [f"{prefix}{first.conversation_id.lower()}"] * 2
    assert keys[2] == f"{prefix}{str(other.conversation_id).lower()}"
    assert all(is_ours(key, home) for key in keys)
    assert [request.params["message"] for request in friendly.received("agent")] == [
        "One",
        "Two",
        "Three",
    ]


async def test_the_extra_prompt_of_a_turn_reaches_the_agent(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Home Assistant tells the agent why the conversation was started."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Yes.")))
    await ask(hass, extra_system_prompt="The garage door is open.")
    [request] = friendly.received("agent")
    assert request.params["extraSystemPrompt"].startswith(INTRODUCTION)
    assert request.params["extraSystemPrompt"].endswith("\n\nThe garage door is open.")


@pytest.mark.parametrize(("answer", "listens"), [("Which one?", True), ("Done.", False)])
async def test_a_question_keeps_the_conversation_open(
    hass: HomeAssistant, friendly: ScriptedGateway, answer: str, listens: bool
) -> None:
    """The satellite listens again after a question."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered(answer)))
    assert (await ask(hass)).continue_conversation is listens


async def test_tools_of_the_agent_are_in_the_chat_log(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Text, tool, result and answer are contents of their own, run by the gateway."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[
                started(),
                said("Let me look."),
                tool_started("exec", {"command": "uptime"}),
                tool_ended("up 3 days"),
                said("Three days."),
                ended(),
                response_ok(),
            ],
        )
    )
    result = await ask(hass, "How long?")
    assert speech_of(result) == "Three days."
    contents = chat_log_of(hass, result)
    assert [content.role for content in contents] == [
        "user",
        "assistant",
        "tool_result",
        "assistant",
    ]
    _, before, tool, answer = contents
    assert isinstance(before, conversation.AssistantContent)
    assert isinstance(tool, conversation.ToolResultContent)
    assert isinstance(answer, conversation.AssistantContent)
    assert before.content == "Let me look."
    assert before.agent_id == AGENT
    assert before.tool_calls == [
        llm.ToolInput("exec", {"command": "uptime"}, "call_1", external=True)
    ]
    assert (tool.tool_call_id, tool.tool_name) == ("call_1", "exec")
    assert tool.result == llm.ToolResult(data={"result": "up 3 days"})
    assert answer.content == "Three days."


def chat_log_of(
    hass: HomeAssistant, result: conversation.ConversationResult
) -> list[conversation.Content]:
    """Return what a conversation holds besides its system prompt."""
    return hass.data[DATA_CHAT_LOGS][str(result.conversation_id)].content[1:]


async def test_media_of_an_answer_become_links(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The chat log carries text only."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Look:"), response_ok(LINK)])
    )
    assert speech_of(await ask(hass)) == f"Look:\n\n[cat.png]({LINK})"


async def test_a_silent_answer_to_somebody_who_reads_says_so(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The agent may decide that nothing needs to be said; that is no error."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), silent(), response_silent()])
    )
    result = await ask(hass)
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert speech_of(result) == "(no answer)"
    assert result.conversation_id


FAILURES: dict[str, tuple[list[Any], str, str]] = {
    "refused": (
        [Refusal(code="INVALID_REQUEST", message="Agent no longer exists", details={})],
        "The OpenClaw gateway refused the request.",
        "Das OpenClaw-Gateway hat die Anfrage abgelehnt.",
    ),
    "failed": (
        [accepted(), started(), failed("It broke."), response_failed("It broke.")],
        "The agent could not finish its answer.",
        "Der Agent konnte seine Antwort nicht zu Ende bringen.",
    ),
    "limit used up": (
        [accepted(), started(), failed("429", kind="rate_limit"), response_failed("429")],
        "The limit of the language model is used up for now.",
        "Das Kontingent des Sprachmodells ist vorerst aufgebraucht.",
    ),
    "nothing said": (
        [accepted(), started(), empty(), response_empty()],
        "The agent gave no answer.",
        "Der Agent hat keine Antwort gegeben.",
    ),
    "stopped": (
        [accepted(), started(), aborted(), response_aborted()],
        "The answer was stopped.",
        "Die Antwort wurde abgebrochen.",
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize(
    ("language", "index"), [("en", 1), ("de", 2), ("de-DE", 2), ("de_CH", 2), ("xx", 1)]
)
async def test_a_failure_is_a_sentence_in_the_language_of_the_user(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    failure: tuple[list[Any], str, str],
    language: str,
    index: int,
) -> None:
    """Never a traceback, never silence; English where there is no translation."""
    await add_entry(hass, friendly)
    (reply, *emit), *_ = failure
    friendly.script(Expect("agent", reply=reply, emit=emit))
    result = await ask(hass, language=language)
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert result.response.error_code is intent.IntentResponseErrorCode.FAILED_TO_HANDLE
    assert speech_of(result) == failure[index]
    assert not result.continue_conversation


async def test_an_error_in_mid_answer_keeps_what_was_said(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The text stays, and the sentence says why it ends."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("The first "), failed("x"), response_failed("x")],
        )
    )
    result = await ask(hass)
    assert speech_of(result) == "The first The agent could not finish its answer."
    texts = [getattr(content, "content", None) for content in chat_log_of(hass, result)]
    assert texts == ["Hello", "The first ", "The agent could not finish its answer."]


async def test_a_run_that_somebody_stops_keeps_what_was_said(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Stopped on purpose: what was said until then is the answer."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("One, two"), aborted(), response_aborted()],
        )
    )
    result = await ask(hass)
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert speech_of(result) == "One, two"


async def test_a_turn_without_a_connection_says_so(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The entity is unavailable, but who asks all the same is told why there is no answer."""
    await add_entry(hass, friendly, options={"main": {"outage_wait": 0.1}})
    async with state_change(hass, lambda hass: is_unavailable(hass, AGENT)):
        await friendly.stop()
    result = await ask(hass, language="de")
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert speech_of(result) == "Das OpenClaw-Gateway ist gerade nicht erreichbar."


def is_unavailable(hass: HomeAssistant, entity_id: str) -> bool:
    """Tell whether an entity is unavailable."""
    state = hass.states.get(entity_id)
    return state is not None and state.state == "unavailable"


async def test_a_turn_survives_a_lost_connection(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The run is found again after the reconnect, and nothing is said twice."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One, "), drop()]),
        Expect("agent", emit=[said("two."), ended(), response_ok()]),
    )
    assert speech_of(await ask(hass)) == "One, two."
    assert len({request.params["idempotencyKey"] for request in friendly.received("agent")}) == 1


async def test_preparing_brings_the_connection_up(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """While the user still speaks, the wait before the next attempt is cut short."""
    entry = await add_entry(hass, friendly)
    async with state_change(hass, lambda hass: is_unavailable(hass, AGENT)):
        await friendly.stop()
    await friendly.start()
    agent = conversation.async_get_agent(hass, AGENT)
    assert agent is not None
    async with state_change(hass, lambda hass: not is_unavailable(hass, AGENT)):
        await agent.async_prepare("en")
    assert entry.runtime_data.is_connected


async def test_cancelling_a_turn_aborts_its_run(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Nobody listens any more, so the gateway must not go on."""
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One, ")]),
        Expect(
            "chat.abort", emit=[aborted(), abort_response(), abort_settled(), response_aborted()]
        ),
        Expect("agent", reply=accepted(), emit=answered("Again.")),
    )
    turn = hass.async_create_background_task(ask(hass, conversation_id="kitchen"), "turn")
    request = await friendly.wait_for_request("agent")
    await friendly.played()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    abort = await friendly.wait_for_request("chat.abort")
    assert abort.params["runId"] == request.params["idempotencyKey"]
    assert abort.params["sessionKey"] == request.params["sessionKey"]
    assert speech_of(await ask(hass, conversation_id="kitchen")) == "Again."


async def test_two_turns_at_once_get_their_own_answers(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Runs are told apart by their id, whatever the order."""
    await add_entry(hass, friendly)
    second_is_done = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            params={"message": "A"},
            reply=accepted(),
            emit=[started(), said("to A, "), wait_for(second_is_done), answered("later")[1:]],
        ),
        Expect("agent", params={"message": "B"}, reply=accepted(), emit=answered("to B")),
    )
    first = hass.async_create_background_task(ask(hass, "A"), "turn")
    await friendly.wait_for_request("agent")
    assert speech_of(await ask(hass, "B")) == "to B"
    second_is_done.set()
    assert speech_of(await first) == "to A, later"


async def test_nothing_that_was_said_is_in_our_logs(
    hass: HomeAssistant, friendly: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """At no level, in no case."""
    caplog.set_level("DEBUG")
    await add_entry(hass, friendly)
    friendly.script(
        Expect("agent", reply=accepted(), emit=answered("zebra-answer")),
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("zebra-part"), failed("zebra-why"), response_failed("zebra-why")],
        ),
    )
    await ask(hass, "zebra-question", extra_system_prompt="zebra-prompt")
    await ask(hass, "zebra-question")
    ours = [
        r for r in caplog.records if r.name.startswith(("custom_components", "websockets.client"))
    ]
    assert ours
    for record in ours:
        assert "zebra" not in record.getMessage()
        assert "made-up-secret" not in record.getMessage()


async def test_every_language_is_supported(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """The agent answers in the language it is asked in."""
    await add_entry(hass, friendly)
    agent = conversation.async_get_agent(hass, AGENT)
    assert isinstance(agent, conversation.ConversationEntity)
    assert agent.supported_languages == "*"
    assert agent.supports_streaming

"""Who is asked questions, and what becomes of them."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
import json

import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import QuestionGoneError, RequestError
from custom_components.openclaw_voice.gateway.frames import GatewayEvent
from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.questions import (
    QUESTION_REQUESTED,
    QUESTION_RESOLVED,
    AgentQuestion,
    QuestionResolved,
)
from custom_components.openclaw_voice.gateway.run_items import ChatFinal
from custom_components.openclaw_voice.gateway.run_request import RunMethod

from .conftest import Server

LIMIT = 90
"""Seconds until something that waits for the gateway must have happened."""

ROOM: dict[str, object] = {
    "id": "room",
    "header": "Room",
    "question": "Which room?",
    "options": [{"label": "Kitchen", "description": "the big one"}, {"label": "Bath"}],
}
DAYS: dict[str, object] = {
    "id": "days",
    "header": "Days",
    "question": "Which days?",
    "multiSelect": True,
    "options": [{"label": "Mon"}, {"label": "Tue"}],
}


class Heard:
    """What a client is told of questions."""

    def __init__(self, client: GatewayClient) -> None:
        """Listen from now on."""
        self.asked: asyncio.Queue[AgentQuestion] = asyncio.Queue()
        self.over: asyncio.Queue[QuestionResolved] = asyncio.Queue()
        client.subscribe_events(self._on_event)

    def _on_event(self, event: GatewayEvent) -> None:
        if event.name == QUESTION_REQUESTED:
            question = AgentQuestion.from_payload(event.payload)
            assert question is not None
            self.asked.put_nowait(question)
        if event.name == QUESTION_RESOLVED:
            resolved = QuestionResolved.from_payload(event.payload, now=datetime.now(UTC))
            assert resolved is not None
            self.over.put_nowait(resolved)


@pytest.fixture
async def stranger(server: Server) -> AsyncGenerator[GatewayClient]:
    """Return a client of another device."""
    async with server.client(server.settings(identity=DeviceIdentity.create())) as client:
        await client.wait_ready(LIMIT)
        yield client


async def have_asked(
    client: GatewayClient, session_key: str, *parts: dict[str, object], method: RunMethod
) -> str:
    """Have an agent ask, and return its answer."""
    call = {"id": "ask_user", "args": {"questions": parts}}
    message = f"MODEL:TOOL tool_call {json.dumps(call)}"
    async with client.chat.start(session_key=session_key, message=message, method=method) as run:
        items = [item async for item in run]
    final = items[-1]
    assert isinstance(final, ChatFinal)
    return final.text


@pytest.mark.parametrize("method", RunMethod)
async def test_an_agent_asks_and_goes_on_with_the_answer(
    client: GatewayClient, stranger: GatewayClient, session_key: str, method: RunMethod
) -> None:
    """Whoever may answer questions is told of it, and of its end."""
    heard, other = Heard(client), Heard(stranger)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        tasks.create_task(have_asked(client, session_key, ROOM, DAYS, method=method))
        question = await heard.asked.get()
        assert await other.asked.get() == question
        assert question in await client.questions.list()
        answers = question.checked({"room": ["kitchen"], "days": ["Tue", "someday"]})
        await client.questions.answer(question.id, answers)
        over, others = await heard.over.get(), await other.over.get()

    assert (question.agent_id, question.session_key) == ("main", session_key)
    assert question.created < datetime.now(UTC) < question.expires
    room, days = question.parts
    assert (room.id, room.header, room.text) == ("room", "Room", "Which room?")
    assert (room.options, room.takes_other, room.is_multiple) == (("Kitchen", "Bath"), True, False)
    assert (days.options, days.is_multiple, days.is_secret) == (("Mon", "Tue"), True, False)
    assert answers == {"room": ("Kitchen",), "days": ("Tue", "someday")}
    assert (over.id, over.status) == (others.id, others.status) == (question.id, "answered")
    assert question not in await client.questions.list()


async def test_who_comes_second_is_told_so(
    client: GatewayClient, stranger: GatewayClient, session_key: str
) -> None:
    """A question is answered once, by whomever."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        tasks.create_task(have_asked(client, session_key, ROOM, method=RunMethod.AGENT))
        question = await heard.asked.get()
        await stranger.questions.answer(question.id, {"room": ["Bath"]})
        await heard.over.get()
        with pytest.raises(QuestionGoneError):
            await client.questions.answer(question.id, {"room": ["Kitchen"]})
        with pytest.raises(QuestionGoneError):
            await client.questions.cancel("ask_of_nobody")


async def test_a_question_is_left_unanswered(client: GatewayClient, session_key: str) -> None:
    """The agent goes on at once."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        tasks.create_task(have_asked(client, session_key, ROOM, method=RunMethod.AGENT))
        question = await heard.asked.get()
        await client.questions.cancel(question.id)
        over = await heard.over.get()
    assert (over.id, over.status) == (question.id, "cancelled")


async def test_the_gateway_refuses_an_answer_that_leaves_a_part_out(
    client: GatewayClient, session_key: str
) -> None:
    """So it is checked before it is sent; the question waits on."""
    heard = Heard(client)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
        tasks.create_task(have_asked(client, session_key, ROOM, DAYS, method=RunMethod.AGENT))
        question = await heard.asked.get()
        with pytest.raises(RequestError) as caught:
            await client.questions.answer(question.id, {"room": ["Bath"]})
        assert caught.value.detail_code == "QUESTION_INVALID_ANSWER"
        assert question in await client.questions.list()
        await client.questions.cancel(question.id)

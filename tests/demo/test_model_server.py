"""The model server over HTTP, as the gateway uses it."""

import asyncio
from collections.abc import AsyncGenerator
import json

import aiohttp
import pytest

from demo.model_server import FORGOTTEN, MODEL_ID, ModelServer
from demo.script import TOOL_PREFACE, JsonObject

LIMIT = 10.0


@pytest.fixture
async def server(socket_enabled: None) -> AsyncGenerator[ModelServer]:
    """Return a listening server."""
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def session(socket_enabled: None) -> AsyncGenerator[aiohttp.ClientSession]:
    """Return an HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT)) as session:
        yield session


def body(question: str, *, stream: bool = True) -> JsonObject:
    """Return a request."""
    return {
        "model": MODEL_ID,
        "stream": stream,
        "messages": [{"role": "user", "content": question}],
    }


async def chunks(
    session: aiohttp.ClientSession, server: ModelServer, question: str
) -> list[JsonObject]:
    """Ask, and return the streamed chunks up to the end mark."""
    url = f"{server.base_url}/chat/completions"
    async with session.post(url, json=body(question), raise_for_status=True) as response:
        assert response.content_type == "text/event-stream"
        text = await response.text()
    events = text.removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def content(received: list[JsonObject]) -> str:
    """Return the text of all chunks."""
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in received)


async def test_the_answer_is_streamed_and_recorded(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """What a client gets is what the record says was sent."""
    received = await chunks(session, server, "MODEL:SAY one two three")

    assert content(received) == "one two three"
    assert received[-1]["choices"][0]["finish_reason"] == "stop"
    assert received[-1]["usage"]["total_tokens"] > 0
    (record,) = server.requests
    assert (record.user_text, record.reply) == ("MODEL:SAY one two three", "one two three")
    assert record.is_complete
    assert not record.is_abandoned


async def test_a_tool_call_follows_its_preface(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """The arguments arrive in pieces that join to the directive's."""
    arguments = '{"command": "echo a rather long line"}'
    received = await chunks(session, server, f"MODEL:TOOL exec {arguments}")

    assert content(received) == TOOL_PREFACE
    calls = [
        call for chunk in received for call in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert calls[0]["function"]["name"] == "exec"
    assert len(calls) > 2
    assert "".join(call["function"]["arguments"] for call in calls) == arguments
    assert received[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_client_that_does_not_stream_gets_one_object(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """The same answer, whole."""
    url = f"{server.base_url}/chat/completions"
    async with session.post(url, json=body("MODEL:SAY whole", stream=False)) as response:
        answer = await response.json()

    assert answer["choices"][0]["message"]["content"] == "whole"
    assert server.requests[0].is_complete


async def test_a_client_that_hangs_up_is_recorded(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """An abandoned request keeps what was sent until then."""
    url = f"{server.base_url}/chat/completions"
    async with session.post(url, json=body("MODEL:SLOW 50 1000")) as response:
        await response.content.readuntil(b"word1")
        response.close()

    await server.wait_for(lambda requests: requests[0].is_abandoned, limit=LIMIT)
    (record,) = server.requests
    assert record.reply.startswith("word1")
    assert not record.is_complete


async def test_a_failure_has_its_status(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """An error comes in the API's form."""
    url = f"{server.base_url}/chat/completions"
    async with session.post(url, json=body("MODEL:FAIL 429")) as response:
        assert response.status == 429
        assert (await response.json())["error"]["code"] == "scripted_429"


async def test_the_model_is_listed(session: aiohttp.ClientSession, server: ModelServer) -> None:
    """A client can find the model's name."""
    async with session.get(f"{server.base_url}/models") as response:
        assert [model["id"] for model in (await response.json())["data"]] == [MODEL_ID]


async def test_waiting_for_a_request_has_a_limit(server: ModelServer) -> None:
    """A test that waits for what never comes fails."""
    with pytest.raises(TimeoutError):
        await server.wait_for(lambda requests: len(requests) > 0, limit=0.1)


async def test_a_spoken_question_may_stand_for_a_directive(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """What was taught last wins."""
    server.teach("Tell me a story", "MODEL:SAY once")
    server.teach("Tell me a story", "MODEL:SAY once more")
    assert content(await chunks(session, server, "tell me a story")) == "once more"
    (request,) = server.requests
    assert request.user_text == "tell me a story"


async def test_held_words_wait_for_their_release(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """What comes before them is said at once, and the release of other words changes nothing."""
    asked = asyncio.create_task(chunks(session, server, "MODEL:HOLD It begins | and ends."))
    await server.wait_for(
        lambda requests: any(each.reply == "It begins" for each in requests), limit=LIMIT
    )
    server.release("something else")
    other = await chunks(session, server, "MODEL:HOLD something else")
    assert content(other) == "something else"
    assert not asked.done()
    assert server.requests[0].reply == "It begins"

    await asyncio.to_thread(server.release, "and ends.")

    assert content(await asked) == "It begins and ends."


async def test_words_may_be_released_before_they_are_asked_for(
    session: aiohttp.ClientSession, server: ModelServer
) -> None:
    """Also of a client that does not stream, and more than once: a gateway may ask again."""
    server.release("The end.")
    url = f"{server.base_url}/chat/completions"
    for _ in range(2):
        async with session.post(url, json=body("MODEL:HOLD The end.", stream=False)) as response:
            answer = await response.json()
        assert answer["choices"][0]["message"]["content"] == "The end."


async def test_an_answer_nobody_releases_is_another_one(
    session: aiohttp.ClientSession, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that forgets about it does not pass because time has passed."""
    monkeypatch.setattr("demo.script.HOLD_LIMIT", 0.1)
    received = await chunks(session, server, "MODEL:HOLD The end.")
    assert content(received) == FORGOTTEN

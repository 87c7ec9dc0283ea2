"""What the gateway tells about sessions and models, and what choosing a model does."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.openclaw_voice.gateway import sessions
from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.run_items import ChatFinal
from custom_components.openclaw_voice.gateway.sessions import MessageRole, SessionInfo

MODEL = "demo/demo-1"


async def ask(client: GatewayClient, session_key: str, message: str) -> str:
    """Run to the end and return the answer."""
    async with client.chat.start(session_key=session_key, message=message) as run:
        items = [item async for item in run]
    final = items[-1]
    assert isinstance(final, ChatFinal)
    return final.text


async def session_of(client: GatewayClient, session_key: str) -> SessionInfo | None:
    """Return the row of a session."""
    listed = await client.sessions.list("main")
    return next((session for session in listed if session.key == session_key), None)


async def test_a_turn_leaves_a_session(client: GatewayClient, session_key: str) -> None:
    """The session is listed with its agent, its model and when it was used."""
    before = await session_of(client, session_key)
    await ask(client, session_key, "MODEL:SAY Hello.")

    session = await session_of(client, session_key)

    assert before is None
    assert session is not None
    assert (session.agent_id, session.model, session.is_active) == ("main", MODEL, False)
    assert session.total_tokens
    assert session.updated is not None
    assert abs(session.updated - datetime.now(UTC)) < timedelta(minutes=1)


async def test_the_session_used_last_comes_first(client: GatewayClient, session_key: str) -> None:
    """So that a short list holds what people may want to continue."""
    await ask(client, session_key, "MODEL:SAY Hello.")
    await ask(client, f"{session_key}:other", "MODEL:SAY Hello.")
    await ask(client, session_key, "MODEL:SAY Hello again.")

    assert [session.key for session in await client.sessions.list("main", 2)] == [
        session_key,
        f"{session_key}:other",
    ]


async def test_all_sessions_used_since_a_moment_are_found(
    client: GatewayClient, session_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, however many there are."""
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 1)
    keys = [session_key, f"{session_key}:other", f"{session_key}:third"]
    begin = datetime.now(UTC) - timedelta(seconds=1)
    for key in keys:
        await ask(client, key, "MODEL:SAY Hello.")

    found = [session.key for session in await client.sessions.used_since(begin)]

    assert [key for key in found if key in keys] == keys[::-1]


async def test_a_session_is_active_while_a_run_goes_on(
    client: GatewayClient, session_key: str
) -> None:
    """It can be told from one that waits for the next turn."""
    async with client.chat.start(session_key=session_key, message="MODEL:SLOW 500 60") as run:
        await anext(aiter(run))
        session = await session_of(client, session_key)

    assert session is not None
    assert session.is_active


async def test_an_unknown_agent_has_no_sessions(client: GatewayClient) -> None:
    """That is no error."""
    assert await client.sessions.list("nobody") == ()


async def test_a_model_is_chosen_before_the_first_turn(
    client: GatewayClient, session_key: str
) -> None:
    """The session exists from then on, and nothing was said in it."""
    await client.sessions.use_model(session_key, MODEL)

    session = await session_of(client, session_key)
    assert session is not None
    assert session.model == MODEL
    assert await client.sessions.messages(session_key, 5) == ()
    assert await ask(client, session_key, "MODEL:SAY Hello.") == "Hello."


async def test_the_gateway_takes_models_it_does_not_know(
    client: GatewayClient, session_key: str
) -> None:
    """So the choice must be made from its list; None takes it back."""
    await client.sessions.use_model(session_key, "demo/no-such-model")
    chosen = await session_of(client, session_key)
    await client.sessions.use_model(session_key, None)
    back = await session_of(client, session_key)

    assert chosen is not None
    assert back is not None
    assert (chosen.model, back.model) == ("demo/no-such-model", MODEL)


async def test_what_was_said_is_read_without_the_tools(
    client: GatewayClient, session_key: str
) -> None:
    """In order, with who said it and in which run."""
    await ask(client, session_key, "MODEL:SAY One.")
    await ask(client, session_key, 'MODEL:TOOL exec {"command":"echo hello"}')

    messages = await client.sessions.messages(session_key, 10)

    said = [(message.role, message.text) for message in messages]
    assert said[:3] == [
        (MessageRole.USER, "MODEL:SAY One."),
        (MessageRole.ASSISTANT, "One."),
        (MessageRole.USER, 'MODEL:TOOL exec {"command":"echo hello"}'),
    ]
    assert {role for role, _ in said[3:]} == {MessageRole.ASSISTANT}
    assert messages[0].run_id == messages[1].run_id != messages[2].run_id
    assert all(message.at and message.run_id for message in messages)


async def test_a_session_that_does_not_exist_has_no_messages(
    client: GatewayClient, session_key: str
) -> None:
    """Nor does asking for them make it exist."""
    assert await client.sessions.messages(session_key, 5) == ()
    assert await session_of(client, session_key) is None


async def test_the_models_of_an_agent_are_listed(client: GatewayClient) -> None:
    """The agent's own is among them."""
    models = await client.status.models("main")
    (agent,) = (await client.status.agents()).agents

    assert agent.model in [model.reference for model in models if model.is_available]
    assert agent.thinking_default in agent.thinking_levels


async def test_the_gateway_announces_how_large_a_file_may_be(client: GatewayClient) -> None:
    """An image may be smaller than any other file."""
    hello = client.snapshot.hello

    assert hello is not None
    assert hello.policy.attachments.max_bytes > hello.policy.attachments.max_image_bytes > 0

"""A gateway that has the agent answer every question. It is configured so, hence a gateway of its own."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from custom_components.openclaw_voice.gateway.identity import DeviceIdentity
from custom_components.openclaw_voice.gateway.models import ConnectionSettings, Credentials
from custom_components.openclaw_voice.gateway.talk_items import (
    ASSISTANT,
    CONSULT_TOOL,
    USER,
    ConsultEnded,
    TalkRequest,
)
from custom_components.openclaw_voice.gateway.talk_session import TalkSession
from demo.gateway import GatewayProcess, realtime_config
from demo.model_server import ModelServer
from demo.voice.realtime_provider import RealtimeProvider
from demo.voice.speech_model import Mind
from tests.fakes.small_gateway import SmallGateway

from .test_talk import LIMIT, Conversation

type Forced = tuple[ConnectionSettings, Mind]


def settings_for(url: str, secret: str) -> ConnectionSettings:
    """Return what a client needs to be let in."""
    return ConnectionSettings(
        url=url,
        credentials=Credentials(secret=secret),
        identity=DeviceIdentity.create(),
        client_version="0.1.0",
    )


@pytest.fixture
async def fake_forced(socket_enabled: None) -> AsyncGenerator[Forced]:
    """Return the fake."""
    async with SmallGateway() as gateway:
        gateway.talk.brain.is_forced = True
        yield settings_for(gateway.url, gateway.secret), gateway.talk.brain.mind


@pytest.fixture
async def real_forced(
    model_server: ModelServer,
    realtime_provider: RealtimeProvider,
    tmp_path: Path,
    socket_enabled: None,
) -> AsyncGenerator[Forced]:
    """Return the real one."""
    mind = realtime_provider.model.mind
    mind.forget()
    config = realtime_config(realtime_provider.url, routing="force-agent-consult")
    async with GatewayProcess(tmp_path, model_server.base_url, overrides=config) as gateway:
        yield settings_for(gateway.url, gateway.token), mind


@pytest.fixture(
    scope="session", params=["fake", pytest.param("real", marks=pytest.mark.e2e("gateway"))]
)
def forced_kind(request: pytest.FixtureRequest) -> str:
    """Return which of the two; what the real one talks with is started outside of any single test."""
    if request.param == "real":
        request.getfixturevalue("realtime_provider")
        request.getfixturevalue("model_server")
    return str(request.param)


@pytest.fixture
def forced(forced_kind: str, request: pytest.FixtureRequest) -> Forced:
    """Return one of the two."""
    found: Forced = request.getfixturevalue(f"{forced_kind}_forced")
    return found


async def test_every_question_is_answered_by_the_agent(forced: Forced) -> None:
    """The model says that it takes a moment, if anything, and then what the agent has said."""
    settings, mind = forced
    mind.expect("Turn on the light.")
    wish = TalkRequest(session_key="agent:main:homeassistant:contract:forced")
    async with TalkSession(settings, wish) as session:
        conversation = Conversation(session)
        fetching = asyncio.create_task(conversation.fetch())
        conversation.speak()
        call = await conversation.until_called()
        assert (call.name, call.is_forced) == (CONSULT_TOOL, True)
        assert call.arguments["question"] == "Turn on the light."
        assert conversation.said(USER) == ["Turn on the light."]

        working = {"status": "working"}
        await session.submit_result(call.call_id, working, will_continue=True)
        await session.consult(call.call_id, "MODEL:SAY The light is on.")
        await conversation.until(lambda: conversation.of(ConsultEnded))
        (ended,) = conversation.of(ConsultEnded)
        assert ended.text == "The light is on."
        await session.submit_result(call.call_id, {"result": ended.text})
        await conversation.until(
            lambda: "The light is on." in " ".join(conversation.said(ASSISTANT))
        )
        await session.close()
        await asyncio.wait_for(fetching, LIMIT)

"""What realtime voice there is, and how sessions are asked for."""

from dataclasses import replace
from typing import Any

from hypothesis import given
import pytest

from custom_components.openclaw_voice.gateway.client import GatewayClient
from custom_components.openclaw_voice.gateway.errors import RequestError, TalkUnavailableError
from custom_components.openclaw_voice.gateway.talk import TalkCatalog, TalkProvider
from custom_components.openclaw_voice.gateway.talk_items import TalkRequest
from tests.fakes import refusals
from tests.fakes.gateway import Expect, ScriptedGateway
from tests.fakes.refusals import Refusal
from tests.recordings import Recording
from tests.schema.check import violations

from .conftest import settings_for
from .garbage import JSON_OBJECTS

type JsonObject = dict[str, Any]

KEY = "agent:main:homeassistant:1a2b3c4d:satellite:kitchen"
LEAST = {
    "mode": "realtime",
    "transport": "gateway-relay",
    "brain": "agent-consult",
    "sessionKey": KEY,
}


async def test_what_a_gateway_offers(gateway: ScriptedGateway, client: GatewayClient) -> None:
    """A provider is configured, another one could be."""
    answer = Recording.load("talk-catalog").answer("talk.catalog")
    gateway.script(Expect("talk.catalog", params={}, reply=answer))

    catalog = await client.talk.catalog()

    assert (catalog.is_ready, catalog.active) == (True, "openai")
    assert [(each.id, each.is_configured, each.can_relay) for each in catalog.providers] == [
        ("openai", True, True),
        ("xai", False, True),
    ]
    assert catalog.provider is not None
    assert catalog.provider.label == "OpenAI Realtime Voice"
    assert catalog.provider.default_model == "gpt-realtime-2.1"
    assert catalog.provider.supports_barge_in
    assert catalog.provider.supports_tools
    assert catalog.models[:2] == ("gpt-realtime-2.1", "gpt-realtime-2.1-mini")
    assert "cedar" in catalog.voices
    assert catalog.voices_of(None) == catalog.voices_of("gpt-realtime-2.1") == catalog.voices
    assert "vesper" in catalog.voices_of("gpt-live-1")


async def test_a_gateway_without_a_provider(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It knows some, and none is configured."""
    answer = Recording.load("talk-catalog-none").answer("talk.catalog")
    gateway.script(Expect("talk.catalog", reply=answer))

    catalog = await client.talk.catalog()

    assert not catalog.is_ready
    assert catalog.providers
    assert (catalog.provider, catalog.models, catalog.voices) == (None, (), ())
    assert catalog.voices_of("gpt-realtime-2.1") == ()


async def test_a_gateway_that_knows_no_voice(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """It is too old: as if nothing was configured. Any other refusal is told."""
    gateway.script(
        Expect("talk.catalog", reply=Refusal(message="unknown method: talk.catalog")),
        Expect("talk.catalog", reply=refusals.missing_scope("operator.read")),
    )

    assert await client.talk.catalog() == TalkCatalog()
    with pytest.raises(RequestError, match="missing scope"):
        await client.talk.catalog()


@given(JSON_OBJECTS)
def test_no_catalogue_breaks_the_reader(payload: JsonObject) -> None:
    """Any object may come."""
    TalkCatalog.from_payload({"realtime": payload})
    TalkCatalog.from_payload({"realtime": {"providers": [payload], "activeProvider": "x"}})
    TalkProvider.from_payload(payload | {"id": "x", "voicesByModel": payload})


@pytest.mark.parametrize(
    ("wishes", "params"),
    [
        ({}, {}),
        (
            {
                "provider": "xai",
                "voice": "eve",
                "model": "grok-voice-latest",
                "language": "de",
                "vad_threshold": 0.4,
                "silence": 0.75,
                "prefix_padding": 0.2,
                "reasoning_effort": "low",
            },
            {
                "provider": "xai",
                "voice": "eve",
                "model": "grok-voice-latest",
                "language": "de",
                "vadThreshold": 0.4,
                "silenceDurationMs": 750,
                "prefixPaddingMs": 200,
                "reasoningEffort": "low",
            },
        ),
        ({"language": "en-GB"}, {"language": "en"}),
        ({"language": "PT_br"}, {"language": "pt"}),
        # The gateway takes two letters; what it could not read is left to it.
        ({"language": "gsw"}, {}),
        ({"language": "english"}, {}),
        ({"language": ""}, {}),
        ({"silence": 0.0, "prefix_padding": 0.0}, {"silenceDurationMs": 1, "prefixPaddingMs": 0}),
    ],
)
def test_how_a_session_is_asked_for(wishes: JsonObject, params: JsonObject) -> None:
    """In the gateway's words, which its schema knows."""
    asked = TalkRequest(session_key=KEY, **wishes).params()

    assert asked == LEAST | params
    assert violations("TalkSessionCreateParams", asked) == []


async def test_a_session_uses_the_settings_of_the_moment(
    gateway: ScriptedGateway, client: GatewayClient
) -> None:
    """They may have changed since the client was made; nothing is connected before it is entered."""
    client.talk.session(TalkRequest(session_key=KEY))
    assert gateway.connections.total == 1

    async with ScriptedGateway() as other:
        client.use_settings(replace(settings_for(gateway), url=other.url))
        other.script(Expect("talk.session.create", reply=Refusal(message="no")))
        with pytest.raises(TalkUnavailableError):
            await client.talk.session(TalkRequest(session_key=KEY)).__aenter__()
        await other.wait_for_no_client()

"""Tests of the protocol as a satellite needs it."""

import json

import pytest

from custom_components.openclaw_voice.realtime.client_events import AudioAppend
from custom_components.openclaw_voice.realtime.client_messages import parse
from custom_components.openclaw_voice.realtime.protocol import RULES, CloseCode
from custom_components.openclaw_voice.realtime.session_config import (
    SessionConfig,
    SessionMode,
    Transport,
)
from demo.satellite.protocol import (
    Options,
    audio_message,
    endpoint_url,
    read_message,
    session_config,
    wait_before_next,
)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://ha.local:8123", "ws://ha.local:8123/api/openclaw_voice/realtime"),
        ("https://ha.local/", "wss://ha.local/api/openclaw_voice/realtime"),
        ("ha.local:8123", "ws://ha.local:8123/api/openclaw_voice/realtime"),
        ("wss://ha.local/own/path?authSig=x", "wss://ha.local/own/path?authSig=x"),
    ],
)
def test_people_type_the_address_of_home_assistant(address: str, url: str) -> None:
    """Or a whole one, such as a signed path."""
    assert endpoint_url(address) == url


@pytest.mark.parametrize("address", ["", "ftp://ha.local", "http://"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ValueError, match="is not the address"):
        endpoint_url(address)


def test_a_config_without_wishes_is_understood() -> None:
    """Home Assistant chooses the rest."""
    config = parse(json.dumps(session_config(Options())))
    assert isinstance(config, SessionConfig)
    assert (config.audio.sample_rate, config.audio.transport) == (16000, Transport.BINARY)
    assert (config.agent, config.satellite_id, config.api_key) == (None, None, None)
    device = config.satellite
    assert (device.manufacturer, device.model) == ("OpenClaw Voice", "Reference satellite")


def test_all_wishes_reach_home_assistant() -> None:
    """By the names it reads."""
    options = Options(
        rate=8000,
        is_binary=False,
        max_ahead=0.2,
        satellite_id="k",
        name="Kitchen",
        area="kitchen",
        agent="main",
        backend="assist",
        language="de",
        is_single=True,
        is_manual=True,
        token="t",
    )
    config = parse(json.dumps(session_config(options)))
    assert isinstance(config, SessionConfig)
    assert (config.audio.sample_rate, config.audio.max_ahead) == (8000, 0.2)
    assert (config.satellite.area, config.agent, config.backend) == ("kitchen", "main", "assist")
    assert (config.language, config.mode, config.api_key) == ("de", SessionMode.SINGLE, "t")
    assert config.turn_detection.mode == "manual"
    assert "'t'" not in repr(options)


@pytest.mark.parametrize("is_binary", [True, False])
def test_audio_reaches_home_assistant(is_binary: bool) -> None:
    """By both ways."""
    message = audio_message(b"\0\1", Options(is_binary=is_binary))
    assert parse(message, Transport.BINARY) == AudioAppend(b"\0\1")


@pytest.mark.parametrize("message", ["[]", "{}", "no", '{"type": 1}'])
def test_what_is_no_event_is_told(message: str) -> None:
    """A server that is none is noticed."""
    with pytest.raises(ValueError):  # noqa: PT011 - of the parser's choice
        read_message(message)


def test_it_connects_again_only_where_that_helps() -> None:
    """As the page about the protocol says, for every close code there is."""
    waits = {int(rule.close): wait_before_next(rule.close, 0) for rule in RULES.values()}
    assert {code for code, wait in waits.items() if wait is not None} == {
        CloseCode.GOING_AWAY,
        CloseCode.FAILED,
        CloseCode.TRY_LATER,
    }
    assert [wait_before_next(None, attempt) for attempt in (0, 1, 4, 5, 5000)] == [1, 2, 16, 30, 30]

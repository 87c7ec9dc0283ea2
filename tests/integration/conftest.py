"""Fixtures of the tests with Home Assistant."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from homeassistant.components import tts
from homeassistant.components.ffmpeg import FFmpegManager
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.openclaw_voice import entity
from custom_components.openclaw_voice.const import DOMAIN
from tests.fakes.fixtures import gateway
from tests.fakes.gateway import ScriptedGateway

from .assist_backend.engines import add_engines, add_pipeline, set_up_voice
from .realtime_home import RealtimeHome
from .support import AGENT, add_entry, introduce
from .voice_room import Room
from .voice_satellite import Connect, make_connect

__all__ = ["gateway"]


@pytest.fixture(scope="session")
def no_audio(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder that stays empty."""
    return str(tmp_path_factory.mktemp("no_audio"))


async def _ffmpeg_version(_: FFmpegManager) -> tuple[str, int]:
    return "7.1", 7


@pytest.fixture(autouse=True)
def quick_voice(no_audio: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what voice needs be set up with every gateway, but at once, and remember no audio.

    A satellite that hangs up is away at once.
    """
    monkeypatch.setattr(FFmpegManager, "async_get_version", _ffmpeg_version)
    monkeypatch.setattr(tts, "_init_tts_cache_dir", lambda *_: no_audio)
    monkeypatch.setattr(entity, "RETURN_LIMIT", 0.0)


@pytest.fixture
async def home(hass: HomeAssistant) -> HomeAssistant:
    """Return a Home Assistant that conversation agents can be added to."""
    assert await async_setup_component(hass, "homeassistant", {})
    return hass


@pytest.fixture
async def realtime(
    hass: HomeAssistant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hass_client_no_auth: ClientSessionGenerator,
    hass_access_token: str,
) -> AsyncGenerator[RealtimeHome]:
    """Return a home that satellites connect to; nothing of a session may be left when a test ends."""
    await set_up_voice(hass, tmp_path, monkeypatch)
    assert await async_setup_component(hass, DOMAIN, {})
    home = RealtimeHome(hass, hass_client_no_auth, hass_access_token)
    yield home
    await home.sessions.async_stop()
    assert not home.hub.sessions


@pytest.fixture
def friendly(gateway: ScriptedGateway) -> ScriptedGateway:
    """Return a gateway with one agent that tells about itself whenever it is asked."""
    introduce(gateway)
    return gateway


@pytest.fixture
async def refused_handshakes(home: HomeAssistant) -> None:
    """Let clients refuse a server's certificate: asyncio tells the loop of it on the server's side."""
    report = home.loop.get_exception_handler()
    assert report is not None

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ssl.SSLError | ConnectionResetError):
            report(loop, context)

    home.loop.set_exception_handler(handle)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with a certificate of its own and of a client that trusts it."""
    return make_tls(tmp_path / "gateway.pem")


@pytest.fixture
def other_tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the same for another certificate."""
    return make_tls(tmp_path / "other.pem")


def make_tls(path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1 and write it to `path`, after its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "openclaw-gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(minutes=10))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(path)
    return server_side, ssl.create_default_context(cafile=str(path))


@pytest.fixture
def connect(hass_client_no_auth: ClientSessionGenerator, hass_access_token: str) -> Connect:
    """Return what connects realtime satellites."""
    return make_connect(hass_client_no_auth, hass_access_token)


@pytest.fixture
async def room(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Room:
    """Return a room with a realtime satellite; the pipeline there belongs to the entry's agent."""
    await hass.config.async_update(internal_url="http://127.0.0.1:8123")
    await set_up_voice(hass, tmp_path, monkeypatch)
    room = Room(hass, connect, tmp_path)
    await add_engines(hass, room.ear, room.mouth)
    await add_pipeline(hass, conversation_engine=AGENT)
    await add_entry(hass, friendly)
    return room

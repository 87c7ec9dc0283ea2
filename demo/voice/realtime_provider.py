"""A stand-in for a provider of speech models: no key, no internet, known answers.

It hears with the offline recogniser and speaks with flite; `instant` needs neither.
"""

import socket
from typing import Final, Self

from aiohttp import web

from .hearing import Recogniser
from .programs import AGENT_VOICE, resampled, speak
from .provider_session import Hear, ProviderSession, SpeechModel
from .sound import Sound
from .speech_model import RATE, instant_voice

SHUTDOWN_TIMEOUT: Final = 1.0
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024


def ears_of(recogniser: Recogniser) -> Hear:
    """Let a speech model hear by a recogniser."""

    async def hear(samples: bytes) -> str:
        return await recogniser.hear(Sound(samples=samples, rate=RATE))

    return hear


async def say(text: str) -> bytes:
    """Let a speech model speak by the programs of the system."""
    spoken = await speak(text, voice=AGENT_VOICE)
    return (await resampled(spoken, rate=RATE)).samples


class RealtimeProvider:
    """The server, from entering to leaving its block. What is kept may be read from another thread."""

    def __init__(self, model: SpeechModel, *, listener: socket.socket | None = None) -> None:
        """Prepare a server on a free port of 127.0.0.1, or on a socket that is bound already."""
        self.model = model
        self.lets_in = True
        """Otherwise it refuses the key of the gateway."""

        self.sessions = 0
        """How many there were."""

        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._open: set[ProviderSession] = set()
        app = web.Application()
        app.router.add_get("/v1/realtime", self._talk)
        self._runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_TIMEOUT, access_log=None)

    @classmethod
    def offline(cls, recogniser: Recogniser, *, listener: socket.socket | None = None) -> Self:
        """Return one that hears and speaks; the recogniser is started by whoever made it."""
        model = SpeechModel(hear=ears_of(recogniser), speak=say)
        return cls(model, listener=listener)

    @classmethod
    def instant(cls, *, listener: socket.socket | None = None) -> Self:
        """Return one that hears what was said it would (`mind.expect`), and speaks in tones."""

        async def hear(_: bytes) -> str:
            return model.mind.next_words()

        async def hum(text: str) -> bytes:
            return instant_voice(text)

        model = SpeechModel(hear=hear, speak=hum, thinking=0.0)
        return cls(model, listener=listener)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up and stop listening."""
        await self.hang_up()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where the gateway finds it."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def open_sessions(self) -> int:
        """How many sessions go on."""
        return len(self._open)

    async def hang_up(self) -> None:
        """End all sessions as a provider does that restarts."""
        for session in tuple(self._open):
            await session.hang_up()

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        """Serve one session to its end."""
        if not self.lets_in:
            error = {"code": "invalid_api_key", "message": "Incorrect API key provided"}
            return web.json_response({"error": error}, status=401)
        peer = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, compress=False)
        await peer.prepare(request)
        session = ProviderSession(self.model, peer)
        self._open.add(session)
        self.sessions += 1
        try:
            await session.run(request.query.get("model", ""))
        finally:
            self._open.discard(session)
        return peer

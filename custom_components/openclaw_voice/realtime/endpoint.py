"""The WebSocket that satellites connect to: who they are, what they may, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import logging
from typing import Final
import uuid

from aiohttp import WSMsgType, hdrs, web
from homeassistant.auth.models import User
from homeassistant.components.http.auth import SIGN_QUERY_PARAM
from homeassistant.components.http.auth_util import async_user_not_allowed_do_auth
from homeassistant.components.http.ban import process_success_login, process_wrong_login
from homeassistant.components.http.const import KEY_HASS_REFRESH_TOKEN_ID, KEY_HASS_USER
from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import KEY_AUTHENTICATED, KEY_HASS, HomeAssistantView

from . import server_events
from .change_gate import ChangeGate
from .client_events import ClientEvent
from .client_messages import parse
from .end_of_speech import Detector
from .hub import Hub, SessionInfo, TooManyError
from .protocol import (
    FIRST_MESSAGE_LIMIT,
    MAX_MESSAGE,
    MAX_PROBLEMS,
    PING_INTERVAL,
    RULES,
    CloseCode,
    ProtocolProblem,
    Reason,
)
from .session import RealtimeSession, SessionHooks
from .session_backend import StartBackend
from .session_config import SessionConfig, Transport
from .socket_channel import SocketChannel
from .socket_pings import SocketPings
from .speech_detector import speech_detector
from .standby_backend import start_standby

URL: Final = "/api/openclaw_voice/realtime"

_CLOSE_LIMIT: Final = 3.0
"""Seconds a satellite may take to say goodbye."""

_LOGGER = logging.getLogger(__name__)

type RealtimeHub = Hub[RealtimeSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a satellite gets: whose session it is, and what answers in it."""

    info: SessionInfo
    """In standby there is no agent in it."""

    start_backend: StartBackend = start_standby
    """Left as it is in standby."""

    detector: Callable[[], Detector] = speech_detector
    """Makes what tells speech from noise, where Home Assistant itself asks something."""

    ask_gently: Callable[[RealtimeSession], Awaitable[None]] | None = None
    asks_when_silent: bool = False
    """Whether that is asked, unless the satellite says."""


type Prepare = Callable[[str, SessionConfig, User], Awaitable[Prepared]]
"""Finds out what a satellite gets: session id, configuration, user. Raises ProtocolProblem."""


class RealtimeView(HomeAssistantView):
    """Serves satellites. It outlives config entries."""

    url = URL
    name = "api:openclaw_voice:realtime"
    requires_auth = False
    """A token may come with the first message."""

    def __init__(self, hub: RealtimeHub, prepare: Prepare) -> None:
        """Serve those that `prepare` has something for."""
        self._hub = hub
        self._prepare = prepare
        self._sockets: set[SatelliteSocket] = set()

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Serve one satellite until its session ends."""
        if _has_failed(request):
            # Home Assistant counts it as a failed login.
            raise web.HTTPUnauthorized
        socket = SatelliteSocket(request, self._hub, self._prepare)
        try:
            self._hub.open_socket(is_stranger=socket.is_stranger)
        except TooManyError as err:
            raise web.HTTPServiceUnavailable from err
        self._sockets.add(socket)
        try:
            return await socket.serve()
        finally:
            self._sockets.discard(socket)
            self._hub.close_socket(is_stranger=socket.is_stranger)

    async def async_close(self, reason: Reason) -> None:
        """End all sessions, and hang up on those that have none yet."""
        for socket in tuple(self._sockets):
            socket.end(reason)
        await self._hub.close(reason)


class SatelliteSocket:
    """One socket, from the upgrade to its end."""

    def __init__(self, request: web.Request, hub: RealtimeHub, prepare: Prepare) -> None:
        """Nothing is read before `serve`."""
        self._request = request
        self._hass: HomeAssistant = request.app[KEY_HASS]
        self._hub = hub
        self._prepare = prepare
        self._socket = web.WebSocketResponse(
            autoping=False,
            compress=False,
            # What is a little too large is refused with a reason.
            max_msg_size=2 * MAX_MESSAGE,
            timeout=_CLOSE_LIMIT,
        )
        self._channel = SocketChannel(self._socket, self._on_slow)
        self._pings = SocketPings(self._socket, self._hang_up, interval=PING_INTERVAL)
        self._session: RealtimeSession | None = None
        self._reason: Reason | None = None
        self._problems = 0
        self._user: User | None = request.get(KEY_HASS_USER)
        self._token_id: str | None = request.get(KEY_HASS_REFRESH_TOKEN_ID)

    @property
    def is_stranger(self) -> bool:
        """Whether nobody has said yet who they are."""
        return self._user is None

    async def serve(self) -> web.WebSocketResponse:
        """Read until the socket is closed."""
        await self._socket.prepare(self._request)
        writer = self._hass.async_create_background_task(self._channel.run(), "realtime writer")
        pings = self._hass.async_create_background_task(self._pings.run(), "realtime pings")
        try:
            await self._meet()
        finally:
            pings.cancel()
            self._channel.close(self._reason or Reason.DISCONNECTED)
            await self._say_goodbye(writer)
        return self._socket

    async def _say_goodbye(self, writer: asyncio.Task[None]) -> None:
        """Let the rest be written, and wait for the satellite's goodbye, within limits."""
        try:
            async with asyncio.timeout(_CLOSE_LIMIT * 2):
                # Somebody has to read while a socket is being closed.
                while not self._socket.closed:
                    await self._socket.receive()
                await asyncio.wait({writer})
        except TimeoutError:
            _LOGGER.debug("A satellite did not say goodbye")
        finally:
            writer.cancel()

    def end(self, reason: Reason) -> None:
        """End the session, or the socket that has none yet."""
        self._reason = self._reason or reason
        if self._session is not None:
            self._session.end(reason)
        else:
            if RULES[reason].code is not None:
                self._channel.send(server_events.error(reason, is_recoverable=False))
            self._channel.close(reason)

    async def _meet(self) -> None:
        """Take the first message, and have its session."""
        unsubscribe = self._follow_token()
        try:
            config = await self._first_message()
            if config is None:
                return
            user = self._user
            if user is None:
                user = self._user = await self._log_in(config)
                self._hub.meet()
                unsubscribe = self._follow_token()
            self._channel.use(config.audio)
            prepared = await self._prepare(str(uuid.uuid4()), config, user)
            await self._have(config, prepared)
        except ProtocolProblem as problem:
            self.end(problem.reason)
        except TooManyError:
            self.end(Reason.TOO_MANY_SESSIONS)
        except Exception as err:  # noqa: BLE001 - a mistake of ours; it may quote what was sent
            _LOGGER.error("A satellite could not be let in: %s", type(err).__name__)
            self.end(Reason.INTERNAL_ERROR)
        finally:
            unsubscribe()

    async def _first_message(self) -> SessionConfig | None:
        """Wait for the configuration; None when the socket is closed before."""
        try:
            async with asyncio.timeout(FIRST_MESSAGE_LIMIT):
                while (event := await self._receive(None)) is not None:
                    if isinstance(event, SessionConfig):
                        return event
                    self._tell(ProtocolProblem(Reason.CONFIG_REQUIRED))
        except TimeoutError:
            raise ProtocolProblem(Reason.CONFIG_TIMEOUT) from None
        return None

    async def _log_in(self, config: SessionConfig) -> User:
        """Check the token of the first message.

        Raises:
            ProtocolProblem: There is none, it is wrong, or its user may not come in here.
        """
        token = config.api_key and self._hass.auth.async_validate_access_token(config.api_key)
        if not token or async_user_not_allowed_do_auth(self._hass, token.user, self._request):
            await process_wrong_login(self._request)
            raise ProtocolProblem(Reason.AUTH_FAILED)
        process_success_login(self._request)
        self._token_id = token.id
        return token.user

    def _follow_token(self) -> Callable[[], None]:
        """End when the token is revoked; return what ends that."""
        if self._token_id is None:
            return lambda: None
        if self._hass.auth.async_get_refresh_token(self._token_id) is None:
            self.end(Reason.TOKEN_REVOKED)
        return self._hass.auth.async_register_revoke_token_callback(
            self._token_id, lambda: self.end(Reason.TOKEN_REVOKED)
        )

    async def _have(self, config: SessionConfig, prepared: Prepared) -> None:
        """Have a session until it or the socket ends."""
        if self._reason is not None:
            return
        client = prepared.info.satellite_id or prepared.info.user_id or ""
        if self._hub.take_start(client, self._hass.loop.time()) > 0:
            raise ProtocolProblem(Reason.RATE_LIMITED)
        gate = ChangeGate(self._hub.changed, self._hass.loop.time)
        session = RealtimeSession(
            prepared.info,
            config,
            prepared.start_backend,
            self._channel,
            clock=self._hass.loop.time,
            hooks=SessionHooks(
                on_change=gate.look,
                take_text=lambda: self._hub.take_text(client, self._hass.loop.time()),
                ask_gently=prepared.ask_gently,
                asks_when_silent=prepared.asks_when_silent,
            ),
            detector=prepared.detector,
        )
        self._hub.add(session)
        self._session = session
        # Of its own: a request is cancelled when its connection is lost.
        running = self._hass.async_create_background_task(
            self._run(session, gate), f"realtime session {session.info.session_id}"
        )
        try:
            await self._read(session, config.audio.transport)
        finally:
            session.end(self._reason or self._why_left)
            await asyncio.wait({running})

    async def _run(self, session: RealtimeSession, gate: ChangeGate[RealtimeSession]) -> None:
        """Run a session, and let it go when it is over."""
        try:
            await session.run()
        finally:
            gate.close()
            if session.summary is not None:
                self._hub.remove(session, session.summary)

    async def _read(self, session: RealtimeSession, transport: Transport) -> None:
        """Pass on what the satellite sends."""
        while (event := await self._receive(transport)) is not None:
            self._problems = 0
            session.receive(event)

    async def _receive(self, transport: Transport | None) -> ClientEvent | None:
        """Return the next event that can be taken, None when the socket is closed.

        Without a transport no session has begun: what is no JSON then is audio that came too early.
        """
        while True:
            message = await self._socket.receive()
            self._pings.seen()
            if message.type is WSMsgType.PONG:
                continue
            if message.type is WSMsgType.PING:
                await self._pong(message.data)
                continue
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            try:
                return parse(message.data, transport or Transport.JSON)
            except ProtocolProblem as problem:
                is_early = (
                    transport is None
                    and message.type is WSMsgType.BINARY
                    and problem.reason is Reason.INVALID_EVENT
                )
                self._tell(ProtocolProblem(Reason.CONFIG_REQUIRED) if is_early else problem)

    def _tell(self, problem: ProtocolProblem) -> None:
        """Refuse a message; too many in a row end it all."""
        if not problem.is_recoverable:
            self.end(problem.reason)
            return
        self._problems += 1
        self._channel.send(
            server_events.error(
                problem.reason, message=str(problem), is_recoverable=problem.is_recoverable
            )
        )
        if self._problems >= MAX_PROBLEMS:
            self.end(Reason.TOO_MANY_PROBLEMS)

    @property
    def _why_left(self) -> Reason:
        """Tell a message that was much too large, which nobody gets to read, from hanging up."""
        is_too_large = self._socket.close_code == CloseCode.TOO_LARGE
        return Reason.MESSAGE_TOO_LARGE if is_too_large else Reason.DISCONNECTED

    def _on_slow(self) -> None:
        """Cut off a satellite that does not read: there is no other way to reach it."""
        if self._session is not None:
            self._session.end(Reason.SLOW_CONSUMER)
        self._reason = self._reason or Reason.SLOW_CONSUMER
        self._hang_up()

    def _hang_up(self) -> None:
        """Cut the connection, at once."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _pong(self, data: bytes) -> None:
        """Answer a ping; whoever reads sees when the connection is lost."""
        with suppress(ConnectionError):
            await self._socket.pong(data)


def _has_failed(request: web.Request) -> bool:
    """Tell whether a request has tried to authenticate, in vain."""
    if request[KEY_AUTHENTICATED]:
        return False
    bearer = request.headers.get(hdrs.AUTHORIZATION, "").startswith("Bearer ")
    return bearer or SIGN_QUERY_PARAM in request.query

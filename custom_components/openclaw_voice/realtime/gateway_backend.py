"""The backend that answers with a speech model behind the gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
import contextlib
from dataclasses import replace
import logging
from typing import Any, Final

from ..gateway.errors import GatewayError
from ..gateway.talk import Talk, TalkCatalog
from ..gateway.talk_items import TALK_RATE, TalkRequest
from .backend import (
    BackendError,
    BackendEvent,
    BackendInfo,
    BackendName,
    BackendRequest,
    Capabilities,
    OutputAudio,
    OutputCleared,
    Rotated,
    Rotating,
    TurnMode,
)
from .consults import Consults, Context, steer_mode
from .event_queue import EventQueue
from .orphans import OnOrphan, Orphan, keep_open
from .rotation import TRIES, rotation_error, start_error
from .sound import Loudspeaker, Microphone
from .talk_link import TalkLink
from .talk_turns import TalkTurns

_LOGGER = logging.getLogger(__name__)

DEFAULT_SILENCE: Final = 0.5
"""Seconds of silence that end an utterance, when nobody has said. Source: the providers' default."""

MANUAL_SILENCE: Final = 1.0
"""The same where the satellite says when somebody has ended: pauses do not."""

COMMIT_MARGIN: Final = 0.1
"""Seconds of silence more than needed, to end an utterance for sure."""

NOTE_MODEL: Final = "model_unavailable"
"""The model that was asked for is not offered: the gateway's default answers."""

NOTE_VOICE: Final = "voice_unavailable"
"""The same of the voice."""

type KeepTask = Callable[[Coroutine[Any, Any, None], str], object]
"""Runs what outlives a session, under a name: the entry's background task."""


class GatewayBackend:
    """Answers in one session. See `Backend`, whose methods these are."""

    def __init__(
        self,
        talk: Talk,
        request: BackendRequest,
        *,
        on_orphan: OnOrphan,
        keep_task: KeepTask,
    ) -> None:
        """Nothing happens before `start`. To be made where a loop runs.

        Args:
            talk: Of the gateway's client.
            request: What the session is to be like.
            on_orphan: Called for each question the agent works on when the session is closed.
            keep_task: Runs what lets the agent finish such a question.
        """
        clock = asyncio.get_running_loop().time
        self._talk = talk
        self._request = request
        self._context = Context(request.context_now or (lambda: request.context))
        self._on_orphan = on_orphan
        self._keep_task = keep_task
        self._events = EventQueue()
        self._microphone = Microphone(clock)
        self._speaker = Loudspeaker(clock)
        self._turns = TalkTurns(lambda: self._speaker.is_playing)
        self._link: TalkLink | None = None
        self._runner: asyncio.Task[None] | None = None
        self._is_closed = False
        self._dropped = 0.0
        self._wish = TalkRequest(
            session_key=request.session_key,
            language=request.language,
            vad_threshold=request.turn_detection.threshold,
            silence=self._silence,
        )

    @property
    def dropped(self) -> float:
        """See `Backend.dropped`."""
        going_on = 0.0 if self._link is None else self._link.session.dropped_input
        return self._microphone.dropped + self._dropped + going_on

    async def start(self) -> BackendInfo:
        """Connect; see `Backend.start`."""
        try:
            catalog = await self._talk.catalog()
            if not catalog.is_ready:
                raise BackendError("no_backend")
            notes = self._choose(catalog)
            link = await self._open()
        except GatewayError as err:
            _LOGGER.debug("No voice session on the gateway: %s", err.category)
            raise start_error(err) from None
        name = f"openclaw_voice realtime {link.session.info.session_id}"
        self._runner = asyncio.create_task(self._run(link), name=name)
        return _info(catalog, notes)

    async def events(self) -> AsyncIterator[BackendEvent]:
        """See `Backend.events`."""
        while (event := await self._events.get()) is not None:
            yield event

    def append_audio(self, pcm: bytes) -> None:
        """See `Backend.append_audio`."""
        self._microphone.append(pcm)

    def commit(self) -> None:
        """See `Backend.commit`: the gateway knows no such thing, but hears silence."""
        self._microphone.end_utterance((self._silence or DEFAULT_SILENCE) + COMMIT_MARGIN)

    def interrupt(self, heard: float) -> None:
        """See `Backend.interrupt`: the gateway knows by the marks what was heard."""
        _LOGGER.debug("An answer is cut off after %.1f s", heard)
        turn_id = self._turns.interrupt()
        self._speaker.clear()
        self._events.drop_audio()
        if self._link is not None:
            self._link.cut_off(turn_id)

    def played(self, mark: str) -> None:
        """See `Backend.played`."""
        if self._speaker.heard(mark) and self._link is not None:
            self._link.session.acknowledge(mark)

    def drained(self) -> None:
        """See `Backend.drained`."""
        marks = self._speaker.drain()
        if self._link is not None:
            for mark in marks:
                self._link.session.acknowledge(mark)

    def respond(self) -> None:
        """See `Backend.respond`: the speech model decides."""

    def note(self, text: str) -> None:
        """See `Backend.note`."""
        self._context.note(text)

    async def steer(self, text: str, mode: str | None) -> Mapping[str, Any]:
        """See `Backend.steer`."""
        try:
            if self._link is not None:
                return (await self._link.session.steer(text, steer_mode(mode))).result
        except GatewayError as err:
            _LOGGER.debug("The agent was not told: %s", err.category)
        raise BackendError("gateway_lost", is_recoverable=True)

    async def tool_result(self, call_id: str, output: str) -> None:
        """See `Backend.tool_result`."""
        if self._link is not None:
            with contextlib.suppress(GatewayError):
                await self._link.session.submit_result(call_id, {"result": output})
        self._emit(self._turns.close_call(call_id, is_answered=True))

    async def close(self) -> None:
        """See `Backend.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._events.end(None)
        self._microphone.connect(None)
        link, self._link = self._link, None
        # Before the tasks end that know of them.
        if link is not None:
            await link.consults.settle()
        orphans = () if link is None else self._orphans(link)
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait({self._runner})
        if link is None:
            return
        if all(orphan.has_ended for orphan in orphans):
            await link.session.close()
        else:
            name = f"openclaw_voice talk {link.session.info.session_id}"
            self._keep_task(keep_open(link.session, orphans), name)
        for orphan in orphans:
            self._on_orphan(orphan)

    # sessions on the gateway

    @property
    def _silence(self) -> float | None:
        wanted = self._request.turn_detection
        if wanted.silence is None and wanted.mode is TurnMode.MANUAL:
            return MANUAL_SILENCE
        return wanted.silence

    def _choose(self, catalog: TalkCatalog) -> tuple[str, ...]:
        """Ask for nothing that is not offered; return what the satellite is told about it."""
        model = _offered(self._request.model, catalog.models)
        voice = _offered(self._request.voice, catalog.voices_of(model))
        self._wish = replace(self._wish, model=model, voice=voice)
        missing = {
            NOTE_MODEL: self._request.model is not None and model is None,
            NOTE_VOICE: self._request.voice is not None and voice is None,
        }
        return tuple(note for note, is_missing in missing.items() if is_missing)

    async def _open(self) -> TalkLink:
        """Begin a session, and use it from now on.

        Raises:
            BackendError: Nobody wants it any more.
            GatewayError: There is none to be had.
        """
        session = await self._talk.session(self._wish).__aenter__()
        if self._is_closed:
            await session.close()
            raise BackendError("backend_start_failed")
        consults = Consults(
            session,
            self._turns,
            self._speaker,
            self._emit,
            context=self._context,
            agent_name=self._request.agent_name,
            language=self._request.language,
            asks_agent=self._request.asks_agent,
        )
        link = TalkLink(
            session, consults, turns=self._turns, speaker=self._speaker, emit=self._emit
        )
        self._link = link
        self._microphone.connect(session.append)
        return link

    async def _run(self, link: TalkLink) -> None:
        """Serve one session of the gateway after the other, until cancelled or it cannot go on."""
        failure: BackendError | None = BackendError("gateway_lost")
        try:
            while True:
                await link.serve(self._microphone)
                self._put(Rotating())
                await self._forget(link)
                link = await self._open_again()
                self._put(Rotated())
        except BackendError as err:
            failure = err
        finally:
            self._events.end(failure)

    async def _forget(self, link: TalkLink) -> None:
        """Give up a session, and what was going on in it."""
        self._microphone.connect(None)
        self._link = None
        self._dropped += link.session.dropped_input
        orphans = self._orphans(link)
        link.consults.lose()
        self._emit(self._turns.fail("gateway_lost"))
        self._turns.forget()
        await link.session.close(is_left=bool(orphans))
        for orphan in orphans:
            orphan.lose()
            self._on_orphan(orphan)

    async def _open_again(self) -> TalkLink:
        """Begin another session.

        Raises:
            BackendError: There is none to be had.
        """
        failure = BackendError("gateway_lost")
        for wait in TRIES:
            await asyncio.sleep(wait)
            try:
                return await self._open()
            except GatewayError as err:
                _LOGGER.debug("No other voice session: %s", err.category)
                failure = rotation_error(err)
        raise failure

    # events

    def _emit(self, events: Iterable[BackendEvent]) -> None:
        for event in events:
            self._put(event)

    def _put(self, event: BackendEvent) -> None:
        if isinstance(event, OutputAudio):
            self._speaker.play(event.pcm, event.mark)
        elif isinstance(event, OutputCleared):
            self._speaker.clear()
        self._events.put(event)

    def _orphans(self, link: TalkLink) -> tuple[Orphan, ...]:
        return tuple(
            Orphan(
                link.session,
                run_id=each.run_id,
                session_key=link.session.key_of(each.run_id),
                question=each.question,
                end=each.end,
            )
            for each in link.consults.unfinished
        )


def _offered(wanted: str | None, names: tuple[str, ...]) -> str | None:
    """Return what is wanted as it is called, None when it is not offered; case does not matter."""
    if wanted is None or not names:
        return wanted
    return next((name for name in names if name.lower() == wanted.lower()), None)


def _info(catalog: TalkCatalog, notes: tuple[str, ...]) -> BackendInfo:
    provider = catalog.provider
    return BackendInfo(
        name=BackendName.GATEWAY,
        input_rate=TALK_RATE,
        output_rate=TALK_RATE,
        capabilities=Capabilities(
            barge_in=provider is not None and provider.supports_barge_in,
            tool_control=provider is not None and provider.supports_tools,
            manual_turns=True,
        ),
        notes=notes,
    )

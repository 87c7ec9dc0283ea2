"""The backend that answers with Home Assistant's own speech engines."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import Any, Final, override

from homeassistant.components import conversation, stt
from homeassistant.core import Context, HomeAssistant

from .assist_turn import INPUT_RATE, STOP_GRACE, STOP_LIMIT, Turn, TurnSettings
from .audio import AudioFormat
from .backend import (
    Backend,
    BackendError,
    BackendEvent,
    BackendInfo,
    BackendName,
    BackendRequest,
    Capabilities,
    Problem,
    TurnMode,
    TurnStarted,
)
from .end_of_speech import Detector, EndOfSpeech, SpeechKind
from .event_queue import EventQueue
from .pipelines import async_choose_pipeline
from .protocol import Reason
from .speech_detector import speech_detector
from .tts_output import OUTPUT_RATE, async_voice

SILENCE: Final = 0.5
"""Seconds after which somebody has ended."""

MIN_SPEECH: Final = 0.1
MIN_INTERRUPTION: Final = 0.2
"""Seconds that somebody has to speak before it counts: to us, and over an answer."""

PREROLL: Final = 0.3
"""Seconds before somebody began to speak that are heard with it: beginnings are soft."""

KEPT: Final = 2.0
"""Seconds of what was heard that are kept: one is sure of a beginning only later."""

MAX_FAILURES: Final = 3
"""Turns in a row that may fail."""

MAX_NOTES: Final = 8
"""Things that the agent is told with one question: the last ones."""

DRAIN_LIMIT: Final = 10.0
"""Seconds after which an answer counts as heard if nobody says so."""

_FORMAT: Final = AudioFormat(INPUT_RATE)


class _Mode(Enum):
    """What the microphone is for."""

    WAITING = auto()
    HEARING = auto()
    ANSWERING = auto()


class AssistBackend(Backend):
    """Answers in one session. See `Backend`, whose methods these are.

    While it answers it does not listen, unless the satellite does not hear its own loudspeaker.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        request: BackendRequest,
        *,
        agent: str,
        context: Context | None = None,
        detector: Callable[[], Detector] = speech_detector,
    ) -> None:
        """Nothing happens before `start`.

        Args:
            hass: Where the pipelines are.
            request: What the session is to be like.
            agent: Entity id of the conversation agent that is wanted.
            context: Of whom it is spoken by.
            detector: Makes what tells speech from noise.
        """
        self.agent = agent
        """Entity id of the agent that answers: after `start`, that of the pipeline."""

        self._hass = hass
        self._request = request
        self._context = context or Context()
        self._detector = detector
        self._is_manual = request.turn_detection.mode is TurnMode.MANUAL
        self._hears_over_answers = request.cancels_echo and not self._is_manual
        self._events = EventQueue()
        self._turns: asyncio.Queue[Turn | None] = asyncio.Queue()
        self._turn: Turn | None = None
        self._count = 0
        self._heard_by = 0.0
        self._mode = _Mode.WAITING
        self._ears = {
            _Mode.WAITING: self._listener(MIN_SPEECH),
            _Mode.ANSWERING: self._listener(MIN_INTERRUPTION),
        }
        self._listening = self._ears[_Mode.WAITING]
        self._before = b""
        self._position = 0.0
        self._notes: tuple[str, ...] = ()
        self._server: asyncio.Task[None] | None = None

    @override
    async def start(self) -> BackendInfo:
        """Find the pipeline and its engines; see `Backend.start`."""
        request = self._request
        choice = async_choose_pipeline(self._hass, self.agent, request.pipeline_id)
        pipeline = choice.pipeline
        self.agent = pipeline.conversation_engine
        if (
            stt.async_get_speech_to_text_engine(self._hass, str(pipeline.stt_engine)) is None
            or conversation.async_get_agent_info(self._hass, self.agent) is None
        ):
            raise BackendError(Reason.BACKEND_START_FAILED)
        voice = async_voice(self._hass, pipeline, request.voice)
        self._settings = TurnSettings(
            pipeline_id=pipeline.id,
            voice=voice,
            context=self._context,
            device_id=request.device_id,
            satellite_id=request.satellite_id,
            instructions=request.context or None,
        )
        # Runs started where a pipeline tells its events would inherit its chat log, and fail.
        self._server = self._hass.async_create_background_task(
            self._serve(), "openclaw_voice realtime turns"
        )
        return BackendInfo(
            name=BackendName.ASSIST,
            input_rate=INPUT_RATE,
            output_rate=OUTPUT_RATE,
            capabilities=Capabilities(
                barge_in=self._hears_over_answers, tool_control=False, manual_turns=True
            ),
            silence=None if self._is_manual else self._silence,
            notes=(*choice.notes, *voice.notes),
        )

    @override
    async def events(self) -> AsyncIterator[BackendEvent]:
        """See `Backend.events`."""
        while (event := await self._events.get()) is not None:
            yield event

    @override
    def append_audio(self, pcm: bytes) -> None:
        """See `Backend.append_audio`."""
        mode = self._look()
        if mode is _Mode.ANSWERING and not self._hears_over_answers:
            return
        self._position += _FORMAT.seconds(pcm)
        self._before = (self._before + pcm)[-max(_FORMAT.size(KEPT), len(pcm)) :]
        if mode is _Mode.HEARING and self._turn is not None:
            self._turn.hear(pcm)
        if self._is_manual:
            if mode is _Mode.WAITING:
                self._begin(pcm)
            return
        for event in self._listening.feed(pcm):
            if event.kind is SpeechKind.ENDED:
                self.commit()
            elif self._mode is not _Mode.HEARING:
                since = self._position - event.position + PREROLL
                self._begin(self._before[-_FORMAT.size(since) :])

    @override
    def commit(self) -> None:
        """See `Backend.commit`."""
        if self._turn is not None and self._mode is _Mode.HEARING:
            self._turn.end_of_speech()

    @override
    def interrupt(self, heard: float) -> None:
        """See `Backend.interrupt`; the agent's own memory of the answer is not shortened."""
        if self._turn is not None and self._look() is _Mode.ANSWERING:
            self._turn.stop()
            self._turn.is_heard = True

    @override
    def played(self, mark: str) -> None:
        """See `Backend.played`: nothing is marked here."""

    @override
    def drained(self) -> None:
        """See `Backend.drained`."""
        if self._turn is not None:
            self._turn.is_heard = True

    @override
    def respond(self) -> None:
        """See `Backend.respond`."""
        self.commit()

    @override
    def note(self, text: str) -> None:
        """See `Backend.note`: it becomes part of the instructions of the next turn."""
        self._notes = (*self._notes, text)[-MAX_NOTES:]

    @override
    async def steer(self, text: str, mode: str | None) -> Mapping[str, Any]:
        """See `Backend.steer`: a pipeline cannot be told anything while it runs."""
        raise BackendError(Reason.INVALID_EVENT, is_recoverable=True)

    @override
    async def tool_result(self, call_id: str, output: str) -> None:
        """See `Backend.tool_result`: no tool of the satellite is called here."""

    @override
    async def close(self) -> None:
        """See `Backend.close`."""
        if self._turn is not None:
            self._turn.stop()
        self._events.end(None)
        self._turns.put_nowait(None)
        if self._server is not None:
            await asyncio.wait({self._server}, timeout=STOP_GRACE + STOP_LIMIT + 1)
            self._server.cancel()

    async def _serve(self) -> None:
        """Run one turn after the other, until closed or too many have failed."""
        failures = 0
        try:
            while (turn := await self._turns.get()) is not None:
                if turn.is_stopped:
                    continue
                await turn.run()
                if turn.failure is None:
                    failures = 0 if turn.has_answered else failures
                    continue
                failures += 1
                if failures == MAX_FAILURES:
                    self._events.end(BackendError(Reason.PIPELINE_ERROR))
                    return
                self._events.put(Problem(error=turn.failure))
        finally:
            self._events.end(None)

    def _begin(self, pcm: bytes) -> None:
        """Begin a turn with what was heard by now; it ends the one before."""
        last, conversation_id = self._turn, self._request.conversation_id
        self._count += 1
        turn_id = f"turn-{self._count}"
        interrupts = self._mode is _Mode.ANSWERING
        # First: an answer that is cut off has not ended.
        self._events.put(TurnStarted(turn_id=turn_id, interrupts=interrupts))
        if last is not None:
            last.stop()
            conversation_id = last.conversation_id
        self._turn = Turn(self._hass, self._noted(), self._events, turn_id, conversation_id)
        self._turn.hear(pcm)
        self._turns.put_nowait(self._turn)
        self._mode = _Mode.HEARING

    def _noted(self) -> TurnSettings:
        """Return the settings of a turn whose agent is told what was noted."""
        notes, self._notes = self._notes, ()
        if not notes:
            return self._settings
        instructions = [self._settings.instructions or "", *notes]
        return replace(self._settings, instructions="\n".join(instructions).strip())

    def _look(self) -> _Mode:
        """Return what the microphone is for now; forget what was heard for something else."""
        mode = self._current()
        if mode is not self._mode and mode is not _Mode.HEARING:
            self._listening = self._ears[mode]
            self._listening.reset()
            self._before = b""
            self._position = 0.0
        self._mode = mode
        return mode

    def _current(self) -> _Mode:
        turn, now = self._turn, self._hass.loop.time()
        if turn is None:
            return _Mode.WAITING
        if not turn.is_over:
            self._heard_by = now + turn.sent + DRAIN_LIMIT
            return _Mode.HEARING if turn.is_hearing else _Mode.ANSWERING
        return _Mode.WAITING if turn.is_heard or now > self._heard_by else _Mode.ANSWERING

    @property
    def _silence(self) -> float:
        wanted = self._request.turn_detection.silence
        return SILENCE if wanted is None else wanted

    def _listener(self, min_speech: float) -> EndOfSpeech:
        """Return what hears somebody begin and end, and has heard nothing yet."""
        wanted = self._request.turn_detection
        return EndOfSpeech(
            self._detector,
            silence=self._silence,
            threshold=0.5 if wanted.threshold is None else wanted.threshold,
            min_speech=min_speech,
        )

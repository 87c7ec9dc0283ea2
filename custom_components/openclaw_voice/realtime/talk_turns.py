"""What the gateway tells of a voice session -> what the session with the satellite is told (pure).

The gateway counts turns of its own: the answer to a tool call is a new one, and one begins with
each silence. Here a turn lasts from somebody's words to the end of the answer.
"""

from collections.abc import Callable, Iterator
from typing import Final

from ..gateway.talk_items import (
    BARGE_IN,
    CONTINUITY_RESET,
    USER,
    TalkAudio,
    TalkAudioDone,
    TalkClear,
    TalkItem,
    TalkMark,
    TalkProblem,
    TalkResponseStarted,
    TalkTranscript,
    TalkTurn,
    TalkUnavailability,
)
from .backend import (
    BackendError,
    BackendEvent,
    OutputAudio,
    OutputCleared,
    OutputEnded,
    Problem,
    ResponseStarted,
    Speaker,
    SpeechEnded,
    SpeechNoticed,
    Transcript,
    TurnEnded,
    TurnStarted,
)

CANCELLED: Final = "cancelled"
"""Why a response has ended that was cut off: the gateway's word."""

TURN_DETECTED: Final = "turn_detected"
"""Why it is cut off when somebody speaks: what satellites are told by every backend."""

CONNECT_PHASE: Final = "connect"
STREAM_PHASE: Final = "stream"


class TalkTurns:
    """Knows where the turn stands."""

    def __init__(self, is_playing: Callable[[], bool]) -> None:
        """`is_playing` tells whether some of an answer was handed out and not heard yet."""
        self.last_words = ""
        """What the user has said last."""

        self.output_turn: str | None = None
        """The gateway's id of the turn that was answered last."""

        self.is_waiting = False
        """Somebody waits for an answer, or for its end."""

        self._is_playing = is_playing
        self._number = 0
        self._calls: set[str] = set()
        self._is_open = False
        self._is_speech = False
        self._hears = False
        self._is_responding = False
        self._has_sound = False
        self._is_muted = False
        self._is_interrupted = False
        self._gateway_turn: str | None = None
        self._begun: str | None = None

    @property
    def turn_id(self) -> str:
        """The turn that goes on, or was the last."""
        return f"turn-{self._number}"

    @property
    def has_calls(self) -> bool:
        """Whether a tool is at work."""
        return bool(self._calls)

    @property
    def is_idle(self) -> bool:
        """Whether nobody speaks and nobody waits for anything."""
        busy = self.is_waiting or self._is_speech or self._hears or self._is_responding
        return not (busy or self.has_calls)

    def read(self, item: TalkItem) -> Iterator[BackendEvent]:
        """Yield what an item is to the session; tools are somebody else's business."""
        match item:
            case TalkTurn():
                yield from self._turn(item)
            case TalkTranscript():
                yield from self._transcript(item)
            case TalkResponseStarted():
                yield from self._response(item)
            case TalkAudio():
                yield from self._audio(item)
            case TalkMark() if not self._is_muted:
                yield OutputAudio(turn_id=self.turn_id, pcm=b"", mark=item.name)
            case TalkClear():
                yield from self._clear(item)
            case TalkAudioDone():
                yield from self._done(item)
            case TalkProblem() if item.phase != CONNECT_PHASE:
                yield from self._problem(item)

    def open_call(self, call_id: str) -> None:
        """Note that a tool is at work: the turn does not end before it has."""
        self._calls.add(call_id)

    def close_call(self, call_id: str, *, is_answered: bool) -> Iterator[BackendEvent]:
        """Note that a tool has ended; `is_answered`: the model speaks about its result."""
        self._calls.discard(call_id)
        if not (is_answered or self._calls or self._is_responding):
            yield from self.end()

    def interrupt(self) -> str | None:
        """Note that the answer is not to be heard any more; return its turn on the gateway."""
        self._is_muted = self._is_responding
        self.is_waiting = self._is_open = self._has_sound = False
        return self.output_turn

    def end(self) -> Iterator[BackendEvent]:
        """End the turn, if somebody waits for that."""
        if self._is_open:
            if self._has_sound:
                yield OutputEnded(turn_id=self.turn_id)
            yield TurnEnded(turn_id=self.turn_id)
        self.is_waiting = self._is_open = self._has_sound = False

    def fail(self, reason: str) -> Iterator[BackendEvent]:
        """End the turn because of a problem, if there is one that can be missed."""
        if not self.is_idle:
            yield Problem(error=BackendError(reason, is_recoverable=True))
        self._is_speech = self._hears = self._is_responding = False
        yield from self.end()

    def forget(self) -> None:
        """Start with another session of the gateway."""
        self._calls.clear()
        self._is_muted = self._is_interrupted = self._hears = False
        self._gateway_turn = self._begun = self.output_turn = None

    def _begin(self, turn: str | None) -> Iterator[BackendEvent]:
        self._number += 1
        self._begun = turn
        self._is_open = self._is_speech = True
        self._has_sound = False
        yield TurnStarted(turn_id=self.turn_id, interrupts=self._is_interrupted)
        self._is_interrupted = False

    def _end_speech(self) -> Iterator[BackendEvent]:
        self._hears = False
        if self._is_speech:
            self._is_speech = False
            self.is_waiting = True
            yield SpeechEnded(turn_id=self.turn_id)

    def _turn(self, item: TalkTurn) -> Iterator[BackendEvent]:
        self._gateway_turn = item.turn_id
        if self._is_interrupted:
            yield from self._begin(item.turn_id)

    def _transcript(self, item: TalkTranscript) -> Iterator[BackendEvent]:
        if item.role != USER:
            if not self._is_muted:
                yield _words(Speaker.ASSISTANT, item)
            return
        turn = item.turn_id or self._gateway_turn
        # A model that hears speech writes it down late: also after it has begun to answer.
        is_new = turn != self._begun if turn is not None else not self._is_open
        if is_new:
            yield from self._begin(turn)
        if item.is_final:
            self.last_words = item.text
            yield from self._end_speech()
        yield _words(Speaker.USER, item)

    def _response(self, item: TalkResponseStarted) -> Iterator[BackendEvent]:
        turn = item.turn_id or self._gateway_turn
        if not self._is_open and (turn is None or turn != self._begun):
            yield from self._begin(turn)
        yield from self._end_speech()
        self._is_open = self._is_responding = self.is_waiting = True
        self._is_muted = False
        self.output_turn = turn
        yield ResponseStarted(turn_id=self.turn_id)

    def _audio(self, item: TalkAudio) -> Iterator[BackendEvent]:
        if not self._is_muted:
            self._has_sound = True
            self.output_turn = item.turn_id or self.output_turn
            yield OutputAudio(turn_id=self.turn_id, pcm=item.pcm)

    def _clear(self, item: TalkClear) -> Iterator[BackendEvent]:
        is_playing = self._is_playing()
        if is_playing:
            self._has_sound = False
            reason = TURN_DETECTED if item.reason == BARGE_IN else item.reason
            yield OutputCleared(reason=reason or CANCELLED)
        if item.reason == CONTINUITY_RESET:
            yield from self.fail("provider_unavailable")
        elif item.reason == BARGE_IN:
            self._hears = True
            if not is_playing:
                yield SpeechNoticed()
            else:
                self.is_waiting = False
                self._is_interrupted = True
                if self._gateway_turn not in (self.output_turn, self._begun):
                    yield from self._begin(self._gateway_turn)

    def _done(self, item: TalkAudioDone) -> Iterator[BackendEvent]:
        self._is_responding = self._is_muted = False
        if self._calls or (item.reason == CANCELLED and not self.is_waiting):
            return
        yield from self.end()

    def _problem(self, item: TalkProblem) -> Iterator[BackendEvent]:
        yield Problem(error=BackendError(reason_of(item.kind), is_recoverable=True))
        if item.phase == STREAM_PHASE and not (self._is_responding or self._calls):
            # Nothing was begun that could still end.
            self._is_speech = False
            yield from self.end()


def reason_of(kind: str) -> str:
    """Return the error reason of the satellite protocol for what is wrong with a provider."""
    return "provider_auth" if kind == TalkUnavailability.AUTH else "provider_unavailable"


def _words(speaker: Speaker, item: TalkTranscript) -> Transcript:
    return Transcript(speaker=speaker, text=item.text, is_final=item.is_final)

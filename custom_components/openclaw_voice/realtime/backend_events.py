"""What a session does with the events of its backend."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final, Protocol

from . import server_events as say
from .answer_text import AnswerText
from .backend import (
    Activity,
    ActivityCancelled,
    BackendEvent,
    ClientToolCall,
    OutputAudio,
    OutputCleared,
    OutputEnded,
    Problem,
    ResponseStarted,
    Rotated,
    Rotating,
    Speaker,
    SpeechEnded,
    SpeechNoticed,
    Transcript,
    TurnEnded,
    TurnStarted,
    UsageReported,
)
from .channel import Channel
from .hub import SessionInfo
from .latency import LatencyClock
from .playback import Cleared
from .protocol import reason_of
from .session_config import SessionConfig
from .session_output import Clock, SessionOutput
from .session_state import Cause

MAX_ACTIVITIES: Final = 64
UNKNOWN_TOOL: Final = '{"error": "unknown tool"}'
_COUNTS: Final = frozenset(item.name for item in fields(say.UsageMetrics))


class Answered(Protocol):
    """The session, as it is needed here."""

    @property
    def info(self) -> SessionInfo:
        """Whose it is."""

    @property
    def config(self) -> SessionConfig:
        """What the satellite wants."""

    @property
    def is_announcing(self) -> bool:
        """Whether something is said that is no answer."""

    def happened(self, cause: Cause) -> None:
        """Go to the next state."""

    def notice(self) -> None:
        """Somebody seems to speak."""

    def over(self) -> None:
        """A turn is over."""

    def answer_tool(self, call_id: str, output: str) -> None:
        """Give the backend the result of a tool."""

    def drop_announcement(self) -> None:
        """What is being announced was taken back."""


class BackendReader:
    """Turns what a backend tells into what a satellite is told, and into states."""

    def __init__(
        self,
        session: Answered,
        output: SessionOutput,
        channel: Channel,
        latency: LatencyClock,
        clock: Clock,
    ) -> None:
        """Nothing has happened yet."""
        self._session = session
        self._output = output
        self._channel = channel
        self._latency = latency
        self._clock = clock
        self._answer = AnswerText()
        self._words_known: say.TranscriptDone | None = None
        """All words of the answer. They follow its audio: it may be interrupted."""

        self._is_following = False
        """They do so already."""

        self._turn: str | None = None
        self._answered: str | None = None
        """The turn that is being answered."""

        self._counted: str | None = None
        self._is_said = False
        """Known to be said whole: the words of the user may come later than the answer."""

        self._stopped: frozenset[str | None] = frozenset()
        """The turns that the satellite has stopped last."""

        self._before: tuple[str | None, float] = (None, 0.0)
        """A turn, and the seconds of it that belong to words before those of now."""

        self._tokens: dict[str, int] = {}
        self._open: dict[str, None] = {}
        self.turns = 0
        """Of the user, in which something was understood."""

        self.is_over = True
        """Whether the backend has nothing more to say in this turn."""

    @property
    def tokens(self) -> Mapping[str, int]:
        """All tokens of the session, by their kind."""
        return dict(self._tokens)

    @property
    def activities(self) -> tuple[str, ...]:
        """The calls of tools that are at work."""
        return tuple(self._open)

    def read(self, event: BackendEvent) -> None:
        """Take one event."""
        match event:
            case ResponseStarted(turn_id=of) | OutputEnded(turn_id=of) if of in self._stopped:
                pass
            case OutputAudio():
                self._audio(event)
            case OutputEnded():
                self._output.flush(event.turn_id)
                self._follow_words()
                self._output.follow(say.AudioDone(turn_id=event.turn_id))
            case OutputCleared():
                self._clear(event.reason, Cause.DROPPED)
            case TurnStarted():
                self._begin(event)
            case TurnEnded():
                self._end(event.turn_id)
            case SpeechEnded():
                self._said()
            case Transcript():
                self._words(event)
            case ResponseStarted():
                self._tell_words()
                self._answer.begin()
                self._begin_words(event.turn_id)
                self._is_said = True
                self.is_over = False
                self._answered = event.turn_id
                self._channel.send(say.ResponseStarted(turn_id=event.turn_id))
                self._session.happened(Cause.WORKING)
            case _:
                self._read_other(event)

    def stop(self) -> None:
        """Let nothing be heard or told any more of the answer that is being made, or is awaited."""
        self._stopped = frozenset({self._answered, self._turn if self._is_said else None} - {None})
        for turn_id in self._stopped:
            self._output.refuse(str(turn_id))

    def pause(self) -> None:
        """All audio was heard; more may come."""
        if self._words_known:
            self._tell_words()
            self._begin_words(self._answered)

    def cut(self, cleared: Cleared) -> None:
        """The answer was interrupted: say which of its words were heard."""
        self._latency.drop()
        self.is_over = True
        known, self._words_known = self._words_known, None
        if self._is_following and known and not self._output.still_follows(known):
            self._answer.told()
        turn_id, before = self._before
        before = before if turn_id == cleared.turn_id else 0.0
        heard = max(0.0, cleared.heard - before)
        text = self._answer.cut(heard, cleared.heard + cleared.dropped_seconds - before - heard)
        if text is not None:
            self._channel.send(say.TranscriptDone(text=text, speaker=Speaker.ASSISTANT))

    def _read_other(
        self,
        event: (
            Activity
            | ActivityCancelled
            | ClientToolCall
            | Rotating
            | Rotated
            | SpeechNoticed
            | UsageReported
            | Problem
        ),
    ) -> None:
        """Take an event that is not about speech."""
        match event:
            case Activity():
                self._activity(event)
            case ActivityCancelled():
                for call_id in event.call_ids:
                    self._open.pop(call_id, None)
                self._channel.send(say.ToolCancelled(call_ids=event.call_ids))
            case ClientToolCall():
                self._call(event)
            case SpeechNoticed():
                self._session.notice()
            case Rotating():
                self._channel.send(say.SessionRotating())
            case Rotated():
                session_id = self._session.info.session_id
                self._channel.send(say.SessionRotated(session_id=session_id))
            case UsageReported():
                self._usage(event.counts)
            case _:
                reason = reason_of(event.error.reason)
                self._channel.send(say.error(reason, is_recoverable=True))
                self._open.clear()
                self._tell_words()
                if not self._output.is_busy:
                    self._session.happened(Cause.DROPPED)

    def _audio(self, event: OutputAudio) -> None:
        """Let audio be heard. The first of an answer is what people wait for."""
        if self._output.push(event.turn_id, event.pcm, event.mark) and event.pcm:
            self._is_said = True
            self.is_over = False
            self._latency.audio(self._clock())
            self._session.happened(Cause.SOUND)

    def _begin(self, event: TurnStarted) -> None:
        """Somebody speaks, perhaps over what is being said."""
        if event.interrupts or self._session.is_announcing:
            self._clear("turn_detected", Cause.HEARD)
        self._tell_words()
        self._turn = event.turn_id
        self._is_said = False
        self._channel.send(say.TurnStarted(turn_id=event.turn_id))
        self._session.happened(Cause.HEARD)

    def _clear(self, reason: str, cause: Cause) -> None:
        """Take back what is queued, if anything is."""
        if not self._output.is_busy:
            return
        cleared = self._output.clear(refuse=cause is Cause.HEARD)
        self._channel.send(say.AudioClear(turn_id=cleared.turn_id, reason=reason))
        self._session.drop_announcement()
        self.cut(cleared)
        self._session.happened(cause)

    def _end(self, turn_id: str) -> None:
        """A turn is complete; it is over when everything was heard."""
        if self._turn not in {None, turn_id} and not self._output.is_busy:
            # Another has begun meanwhile.
            self.is_over = not self._is_said
            return
        self.is_over = True
        self._tell_latency()
        if self._words_known is None and (text := self._answer.unfinished()) is not None:
            # A speech model was cut off before there was anything to take back.
            self._words_known = say.TranscriptDone(text=text, speaker=Speaker.ASSISTANT)
            self._is_following = False
        self._follow_words()
        if turn_id not in self._stopped:
            self._output.follow(say.TurnEnded(turn_id=turn_id))
        if not self._output.is_busy:
            self._session.over()

    def _said(self) -> None:
        self._latency.said(self._clock())
        self._is_said = True
        self.is_over = False
        self._session.happened(Cause.SAID)

    def _words(self, event: Transcript) -> None:
        """Pass words on; those that nobody heard are not told."""
        if event.speaker is Speaker.USER:
            self._count(event)
            if event.is_final and not self._is_said:
                self._said()
        elif event.is_final:
            if self._answer.finish(event.text):
                self._words_known = say.TranscriptDone(text=event.text, speaker=event.speaker)
                self._is_following = False
                if self._latency.is_heard:
                    self._tell_latency()
            return
        else:
            self._latency.text(self._clock())
            if not self._answer.add(event.text):
                return
        make = say.TranscriptDone if event.is_final else say.TranscriptDelta
        self._channel.send(make(text=event.text, speaker=event.speaker))

    def _follow_words(self) -> None:
        """Tell all words of the answer when its audio has been sent."""
        if self._words_known and not self._is_following:
            self._is_following = True
            self._output.follow(self._words_known)

    def _begin_words(self, turn_id: str | None) -> None:
        """Note that words which come now belong to audio that comes now."""
        self._before = (turn_id, self._output.taken(turn_id))

    def _tell_words(self) -> None:
        """Tell them now: the answer has no end."""
        if self._words_known and not self._is_following:
            self._channel.send(self._words_known)
        self._words_known = None
        self._answer.told()

    def _count(self, event: Transcript) -> None:
        """Count the turn of a user who has said something."""
        if event.text.strip() and (self._turn is None or self._turn != self._counted):
            self._counted = self._turn
            self.turns += 1

    def _activity(self, event: Activity) -> None:
        if event.is_final:
            self._open.pop(event.call_id, None)
        elif len(self._open) < MAX_ACTIVITIES:
            self._open[event.call_id] = None
        self._channel.send(say.ToolProgress(call_id=event.call_id, summary=event.summary))

    def _call(self, event: ClientToolCall) -> None:
        """Have the satellite run a tool that it offers."""
        if any(tool.name == event.name for tool in self._session.config.tools):
            self._channel.send(
                say.ToolCall(call_id=event.call_id, name=event.name, arguments=event.arguments)
            )
        else:
            self._session.answer_tool(event.call_id, UNKNOWN_TOOL)

    def _usage(self, counts: Mapping[str, int]) -> None:
        known = {name: count for name, count in counts.items() if name in _COUNTS}
        for name, count in known.items():
            self._tokens[name] = self._tokens.get(name, 0) + count
        self._channel.send(say.UsageMetrics(**known))

    def _tell_latency(self) -> None:
        """Tell how long the answer took, once."""
        latency = self._latency.take()
        if latency is None:
            return
        is_text = latency.first_output == latency.first_text
        self._channel.send(
            say.LatencyMetrics(
                endpoint=latency.endpoint,
                endpoint_source=None if latency.endpoint is None else "silence",
                first_audio=latency.first_audio,
                first_text=latency.first_text,
                first_output=latency.first_output,
                first_output_modality="text" if is_text else "audio",
            )
        )

"""Reads the events of a realtime voice session and of the agent it asks (pure).

Source: gateway protocol 4, "Talk"; recordings of relay sessions of gateway 2026.9.6. What is said of
each append is left out: it tells nothing but that the gateway is alive.
"""

from base64 import b64decode
import binascii
from datetime import UTC, datetime
import re
from typing import Final

from .errors import (
    GatewayError,
    ProtocolError,
    RequestError,
    TalkUnavailableError,
)
from .frames import GatewayEvent, JsonObject, as_number, as_object, as_text
from .redact import redact
from .run_items import RunOutcome, ToolActivity, ToolPhase
from .run_reader import RunReader
from .run_request import RunMethod
from .talk_items import (
    ASSISTANT,
    USER,
    CancelStatus,
    ConsultEnded,
    ConsultProgress,
    SteerResult,
    TalkAudio,
    TalkAudioDone,
    TalkClear,
    TalkClosed,
    TalkInfo,
    TalkItem,
    TalkMark,
    TalkProblem,
    TalkResponseStarted,
    TalkToolCall,
    TalkToolCancelled,
    TalkTranscript,
    TalkTurn,
    TalkUnavailability,
)

TALK_EVENT: Final = "talk.event"
READY: Final = "ready"

_SAMPLE: Final = 2
"""Bytes of a sample."""

_NOT_CONFIGURED: Final = re.compile(
    r"is not (?:configured|registered)|no realtime .*provider", re.IGNORECASE
)
_TOO_MANY: Final = re.compile(r"too many active", re.IGNORECASE)
_AUTH: Final = re.compile(r"authentication failed|credentials", re.IGNORECASE)
"""The gateway 2026.9.6 tells these apart by the message only."""


def is_ready(payload: JsonObject) -> bool:
    """Tell whether a `talk.event` says that the provider is connected."""
    return payload.get("type") == READY


def read_talk(payload: JsonObject) -> TalkItem | None:
    """Read a `talk.event`, None when it tells nothing that matters, or something unknown."""
    envelope = as_object(payload.get("talkEvent"))
    turn_id = as_text(payload.get("turnId")) or as_text(envelope.get("turnId"))
    match payload.get("type"):
        case "inputAudio" if envelope.get("type") == "turn.started" and turn_id is not None:
            return TalkTurn(turn_id=turn_id)
        case "transcript":
            return _transcript(payload, turn_id)
        case "responseStarted":
            return TalkResponseStarted(turn_id=turn_id)
        case "audio":
            pcm = _samples(payload.get("audioBase64"))
            return TalkAudio(pcm=pcm, turn_id=turn_id) if pcm else None
        case "mark":
            mark = as_text(payload.get("markName"))
            return None if mark is None else TalkMark(name=mark, turn_id=turn_id)
        case "clear":
            return TalkClear(reason=_reason(payload, envelope), turn_id=turn_id)
        case "audioDone":
            return TalkAudioDone(reason=_reason(payload, envelope), turn_id=turn_id)
        case _:
            return _read_rest(payload, envelope, turn_id)


def read_info(payload: JsonObject) -> TalkInfo:
    """Read what the gateway says of a new session.

    Raises:
        ProtocolError: It lacks its id or its end.
    """
    session_id, expires = as_text(payload.get("sessionId")), as_number(payload.get("expiresAt"))
    if session_id is None or expires is None:
        raise ProtocolError("a realtime session without id or end")
    try:
        ends = datetime.fromtimestamp(expires, UTC)
    except ValueError, OverflowError, OSError:
        raise ProtocolError("a realtime session without an end") from None
    return TalkInfo(
        session_id=session_id,
        provider=as_text(payload.get("provider")),
        model=as_text(payload.get("model")),
        voice=as_text(payload.get("voice")),
        expires=ends,
    )


def read_cancel(payload: JsonObject) -> CancelStatus:
    """Read what became of stopping the answer; a gateway that does not say has stopped it."""
    try:
        return CancelStatus(str(payload.get("status")))
    except ValueError:
        return CancelStatus.APPLIED


def read_steer(payload: JsonObject) -> SteerResult:
    """Read what became of telling the agent something."""
    return SteerResult(
        is_ok=payload.get("ok") is True,
        mode=as_text(payload.get("mode")),
        is_active=payload.get("active") is True,
        is_queued=payload.get("queued") is True,
        is_aborted=payload.get("aborted") is True,
        message=as_text(payload.get("message")) or "",
        reason=as_text(payload.get("reason")),
        result=payload,
    )


def refusal(error: RequestError) -> GatewayError:
    """Return what a refused session is to its caller; an unknown agent stays what it is."""
    message = str(error)
    if error.code == "FORBIDDEN":
        kind = TalkUnavailability.FORBIDDEN
    elif type(error) is not RequestError:
        return error
    elif _NOT_CONFIGURED.search(message):
        kind = TalkUnavailability.NOT_CONFIGURED
    elif _TOO_MANY.search(message):
        kind = TalkUnavailability.TOO_MANY
    elif error.code == "INVALID_REQUEST":
        kind = TalkUnavailability.UNSUPPORTED
    else:
        kind = TalkUnavailability.UNREACHABLE
    return TalkUnavailableError(message, kind=kind)


class ConsultReader:
    """Follows the run of an agent that the speech model asks, frame by frame."""

    def __init__(self, call_id: str, run_id: str, session_key: str) -> None:
        """Start before its first frame."""
        self.run_id: Final = run_id
        self.session_key: Final = session_key
        """As the gateway wants it for an abort."""

        self.is_over = False
        self._call_id = call_id
        # As a run of `chat.send`: its events tell the end, no response follows.
        self._reader = RunReader(RunMethod.CHAT_SEND)

    def read(self, event: GatewayEvent) -> list[ConsultProgress | ConsultEnded]:
        """Read one `chat` or `agent` event of the run; the last item tells its end."""
        if self.is_over:
            return []
        reader = self._reader
        reader.read_event(event)
        if reader.needs_response:
            reader.give_up_on_response()
        told: list[ConsultProgress | ConsultEnded] = []
        while (item := reader.take()) is not None:
            if isinstance(item, ToolActivity):
                told.append(self._progress(item))
        self.is_over = reader.has_ended
        if self.is_over:
            told.append(self._end())
        return told

    def _progress(self, activity: ToolActivity) -> ConsultProgress:
        return ConsultProgress(
            call_id=self._call_id,
            run_id=self.run_id,
            tool=activity.name,
            title=activity.title,
            is_end=activity.phase is ToolPhase.END,
        )

    def _end(self) -> ConsultEnded:
        final, error = self._reader.final, self._reader.error
        return ConsultEnded(
            call_id=self._call_id,
            run_id=self.run_id,
            text=None if final is None else final.text,
            error=None if error is None else str(error),
            is_aborted=final is not None and final.outcome is RunOutcome.ABORTED,
        )


def _read_rest(payload: JsonObject, envelope: JsonObject, turn_id: str | None) -> TalkItem | None:
    call_id = as_text(payload.get("callId"))
    match payload.get("type"):
        case "toolCall":
            return _tool_call(payload, call_id, turn_id)
        case "toolCallCancelled" if call_id is not None:
            return TalkToolCancelled(call_id=call_id)
        case "error":
            return _problem(payload)
        case "close":
            return TalkClosed(reason=_reason(payload, envelope))
        case _:
            return None


def _transcript(payload: JsonObject, turn_id: str | None) -> TalkTranscript | None:
    role, text = payload.get("role"), as_text(payload.get("text"))
    if role not in (USER, ASSISTANT) or text is None:
        return None
    is_final = payload.get("final") is True
    return TalkTranscript(role=role, text=text, is_final=is_final, turn_id=turn_id)


def _tool_call(
    payload: JsonObject, call_id: str | None, turn_id: str | None
) -> TalkToolCall | None:
    name = as_text(payload.get("name"))
    if call_id is None or name is None:
        return None
    return TalkToolCall(
        call_id=call_id,
        name=name,
        arguments=as_object(payload.get("args")),
        is_forced=payload.get("forced") is True,
        turn_id=turn_id,
    )


def _problem(payload: JsonObject) -> TalkProblem:
    message = redact(as_text(payload.get("message")) or "no reason given")
    is_auth = _AUTH.search(message) is not None
    return TalkProblem(
        phase=as_text(payload.get("phase")),
        message=message,
        kind=TalkUnavailability.AUTH if is_auth else TalkUnavailability.UNREACHABLE,
    )


def _reason(payload: JsonObject, envelope: JsonObject) -> str | None:
    inner = as_object(envelope.get("payload"))
    return as_text(payload.get("reason")) or as_text(inner.get("reason"))


def _samples(value: object) -> bytes:
    """Return whole samples; what cannot be read is no sound."""
    try:
        pcm = b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error, ValueError:
        return b""
    return pcm[: len(pcm) // _SAMPLE * _SAMPLE]

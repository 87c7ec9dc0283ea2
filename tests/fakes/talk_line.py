"""One voice session of a behaving gateway: its turns, and how they are told.

It hears and answers like the stand-in provider behind a real gateway (`demo.voice.speech_model`), but without a
speech engine: what is heard was said before (`Mind.expect`), what is spoken is a tone.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, assert_never
import uuid

from demo.gateway import REALTIME_MODEL
from demo.voice.speech_model import (
    PER_CHARACTER,
    Consult,
    Control,
    Ears,
    Fail,
    HangUp,
    Limit,
    Mind,
    Reaction,
    Say,
    SpeechStarted,
    instant_voice,
)

type JsonObject = dict[str, Any]

PROVIDER: Final = "openai"
FRAME_BYTES: Final = 960
"""The gateway cuts all sound into 20 ms."""

CONSULT_TOOL: Final = "openclaw_agent_consult"
CONTROL_TOOL: Final = "openclaw_agent_control"
WORKING: Final = "working"
BUSY: Final = "Realtime provider cannot start this session right now. Try again later."
AWAY: Final = "Realtime provider is unavailable. Try again later."
KEY_REJECTED: Final = (
    "Realtime provider authentication failed. Check the provider credentials and try again."
)


@dataclass(slots=True, kw_only=True)
class Brain:
    """The speech model all sessions share, and what is wrong with it."""

    mind: Mind = field(default_factory=Mind)
    is_configured: bool = True
    lets_in: bool = True
    is_reachable: bool = True
    is_silent: bool = False
    """It never says that it is ready."""

    lifetime: float = 1800.0
    """Seconds after which a session ends, as it is told at its beginning."""

    is_held: bool = False
    """Answers that begin now stop after a word, until they are cut off or `released` is set."""

    released: asyncio.Event = field(default_factory=asyncio.Event)
    pace: float = 0.0
    """Seconds of waiting for each second of an answer."""

    is_forced: bool = False
    """The gateway has every question answered by the agent."""


class TalkLine:
    """One session, from its creation to its end."""

    def __init__(
        self,
        brain: Brain,
        session_key: str,
        *,
        tell: Callable[[JsonObject], Awaitable[None]],
        keep: Callable[[str, str], None],
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
    ) -> None:
        """Begin.

        Args:
            brain: The speech model.
            session_key: Of the agent's session.
            tell: Sends the payload of a `talk.event` to the client.
            keep: Adds role and text of what was said to the agent's session.
            spawn: Runs what takes a while.
        """
        self.id = str(uuid.uuid4())
        self.session_key = session_key
        self.is_open = True
        self.consults: dict[str, str] = {}
        """Run of each consult that was started, by the id of its call."""

        self.results: list[tuple[str, Any]] = []
        """What calls were answered with."""

        self.heard_marks: list[str] = []
        self._brain = brain
        self._tell = tell
        self._keep = keep
        self._spawn = spawn
        self._ears = Ears()
        self._seq = 0
        self._turn = 0
        self._turn_id: str | None = None
        self._mark = 0
        self._response: asyncio.Task[None] | None = None

    @property
    def turn_id(self) -> str | None:
        """The turn that goes on."""
        return self._turn_id

    def created(self, params: JsonObject) -> JsonObject:
        """Return what is said of the new session."""
        model = params.get("model", REALTIME_MODEL)
        return {
            "provider": PROVIDER,
            "transport": "gateway-relay",
            "relaySessionId": self.id,
            "audio": {
                "inputEncoding": "pcm16",
                "inputSampleRateHz": 24000,
                "outputEncoding": "pcm16",
                "outputSampleRateHz": 24000,
            },
            "model": model,
            "voice": params.get("voice", "cedar"),
            "expiresAt": round(datetime.now(UTC).timestamp() + self._brain.lifetime),
            "sessionId": self.id,
            "voiceSessionId": self.id,
            "mode": "realtime",
            "brain": "agent-consult",
        }

    async def begin(self) -> None:
        """Connect to the provider."""
        if not (self._brain.lets_in and self._brain.is_reachable):
            message = AWAY if self._brain.lets_in else KEY_REJECTED
            await self._problem("connect", message)
            await self.close("error")
        elif not self._brain.is_silent:
            await self.tell("ready", envelope="session.ready", payload=None)

    async def close(self, reason: str = "completed") -> None:
        """End; idempotent."""
        if self.is_open:
            self.is_open = False
            await self._stop()
            closed = {"reason": reason}
            await self.tell("close", closed, envelope="session.closed", payload=closed)

    async def vanish(self) -> None:
        """End without a word, as when the client's connection is gone."""
        self.is_open = False
        await self._stop()

    async def lose_provider(self) -> None:
        """The provider hangs up; the gateway calls again by itself."""
        await self._stop()
        lost = {"reason": "session.continuity.reset"}
        await self.tell("clear", envelope="turn.cancelled", payload=lost)
        self._turn_id = None

    # --- what is heard ---

    async def hear(self, pcm: bytes) -> None:
        """Take a piece of sound."""
        await self._ensure_turn()
        size = {"byteLength": len(pcm)}
        await self.tell("inputAudio", size, envelope="input.audio.delta", payload=size)
        for found in self._ears.feed(pcm):
            if isinstance(found, SpeechStarted):
                await self._interrupt()
            else:
                await self._understand()

    async def _understand(self) -> None:
        text = self._brain.mind.next_words()
        for word in text.split():
            await self._transcript("user", f"{word} ", is_final=False)
        await self._transcript("user", text, is_final=True)
        if self._brain.is_forced:
            await self._call(CONSULT_TOOL, {"question": text}, forced=True)
        else:
            self.respond(self._brain.mind.react(text), text)

    async def _interrupt(self) -> None:
        if await self._stop():
            gone = {"reason": "barge-in"}
            await self.tell("clear", gone, envelope="output.audio.done", payload=gone)
            await self._end_turn("turn.cancelled", "cancelled")
            await self._ensure_turn()
        else:
            await self.tell("clear", {"reason": "barge-in"})

    # --- what is answered ---

    def respond(self, reaction: Reaction, heard: str = "") -> None:
        """Answer in the background."""
        self._response = self._spawn(self._answer(reaction, heard))

    async def cancel(self, turn_id: str | None, reason: str) -> JsonObject:
        """Stop the answer that is given."""
        is_active = self._response is not None and not self._response.done()
        if not is_active:
            return {"ok": True, "status": "idle"}
        if turn_id not in (None, self._turn_id):
            return {"ok": True, "status": "stale"}
        await self._stop()
        gone = {"reason": reason}
        stopped = self._turn_id
        await self.tell("clear", envelope="turn.cancelled", payload=gone)
        await self.tell("clear", gone, envelope="output.audio.done", payload=gone)
        self._turn_id = None
        return {"ok": True, "status": "applied", "turnId": stopped}

    async def take_result(
        self, call_id: str, result: object, *, will_continue: bool, suppress: bool
    ) -> None:
        """Take the result of a call, and answer with it."""
        self.results.append((call_id, result))
        await self._ensure_turn()
        payload = {"result": result}
        await self.tell("toolResult", {"callId": call_id}, envelope="tool.result", payload=payload)
        if not (will_continue or suppress):
            words = result.get("result") if isinstance(result, dict) else result
            self.respond(Say(text=str(words or result)))

    async def steered(self, result: JsonObject) -> None:
        """Tell what became of telling the agent something."""
        await self._ensure_turn()
        told = {"name": CONTROL_TOOL, "phase": result["mode"], "result": result}
        about = {"result": result}
        await self.tell("toolProgress", about, envelope="tool.progress", payload=told)

    async def _answer(self, reaction: Reaction, heard: str) -> None:
        match reaction:
            case Say(text=text):
                await self._say(text)
            case Consult(question=question):
                await self._started()
                await self._call(CONSULT_TOOL, {"question": question, "responseStyle": "short"})
            case Control(mode=mode):
                await self._started()
                await self._call(CONTROL_TOOL, {"text": heard, "mode": mode})
            case Fail():
                await self._started()
                turn_id = self._turn_id
                await self._end_turn("turn.ended", "failed")
                await self._problem("response", AWAY, turn_id)
            case Limit():
                await self._problem("stream", BUSY)
            case HangUp():
                await self.lose_provider()
            case _:
                assert_never(reaction)

    async def _say(self, text: str) -> None:
        is_held = self._brain.is_held
        await self._started()
        for number, word in enumerate(text.split()):
            await self._transcript("assistant", f"{word} ", is_final=False)
            sound = instant_voice(word)
            for at in range(0, len(sound), FRAME_BYTES):
                piece = sound[at : at + FRAME_BYTES]
                size = {"byteLength": len(piece)}
                audio = {"audioBase64": b64encode(piece).decode()}
                await self.tell("audio", audio, envelope="output.audio.delta", payload=size)
            self._mark += 1
            mark = {"markName": f"audio-{self._mark}"}
            await self.tell("mark", mark, envelope="output.audio.done", payload=mark)
            await asyncio.sleep(PER_CHARACTER * len(word) * self._brain.pace)
            if is_held and not number:
                await self._brain.released.wait()
        await self._transcript("assistant", text, is_final=True)
        await self._end_turn("turn.ended", "completed")

    async def _call(self, name: str, args: JsonObject, **fields: object) -> None:
        call = {"callId": f"call_{uuid.uuid4().hex[:16]}", "name": name, "args": args}
        told = {"name": name, "args": args}
        await self.tell("toolCall", call | fields, envelope="tool.call", payload=told)
        if not fields:
            status = {"name": name, "status": WORKING}
            await self.tell(
                "toolResult",
                {"callId": call["callId"]},
                envelope="tool.progress",
                payload=status,
            )
            await self._end_turn("turn.ended", "completed")

    async def _started(self) -> None:
        await self._ensure_turn()
        await self.tell("responseStarted", {"turnId": self._turn_id})

    async def _stop(self) -> bool:
        """Stop the answer that is given; return whether there was one."""
        task, self._response = self._response, None
        if task is None or task.done():
            return False
        if task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait({task})
        return True

    # --- how it is told ---

    async def _ensure_turn(self) -> None:
        if self._turn_id is None:
            self._turn += 1
            self._turn_id = f"turn-{self._turn}"
            await self.tell("inputAudio", {"byteLength": 0}, envelope="turn.started", payload={})

    async def _end_turn(self, kind: str, reason: str) -> None:
        await self.tell("audioDone", envelope=kind, payload={"reason": reason})
        self._turn_id = None

    async def _transcript(self, role: str, text: str, *, is_final: bool) -> None:
        end = "done" if is_final else "delta"
        is_user = role == "user"
        kind = f"transcript.{end}" if is_user else f"output.text.{end}"
        payload = {"role": role, "text": text} if is_user else {"text": text}
        words = {"role": role, "text": text, "final": is_final}
        await self.tell("transcript", words, envelope=kind, payload=payload)
        if is_final:
            self._keep(role, text)

    async def _problem(self, phase: str, message: str, turn_id: str | None = None) -> None:
        problem = {
            "message": message,
            "code": "realtime_unavailable",
            "provider": PROVIDER,
            "model": REALTIME_MODEL,
            "transport": "gateway-relay",
            "phase": phase,
        }
        await self.tell(
            "error", problem, envelope="session.error", payload=problem, turn_id=turn_id
        )

    async def tell(
        self,
        kind: str,
        fields: JsonObject | None = None,
        *,
        envelope: str | None = None,
        payload: object = None,
        turn_id: str | None = None,
    ) -> None:
        """Tell the client of something, most of it in an envelope, too; of this turn or that of now."""
        told: JsonObject = {"relaySessionId": self.id, "type": kind} | (fields or {})
        if envelope is not None:
            self._seq += 1
            told["talkEvent"] = {
                "sessionId": self.id,
                "mode": "realtime",
                "transport": "gateway-relay",
                "brain": "agent-consult",
                "provider": PROVIDER,
                "id": f"{self.id}:{self._seq}",
                "type": envelope,
                "seq": self._seq,
                "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                "payload": payload,
            }
            if turn := turn_id or self._turn_id:
                told["talkEvent"]["turnId"] = turn
        await self._tell(told)

"""One session of the stand-in for a provider of speech models: its realtime protocol.

As far as the gateway uses it: events of a WebSocket, each a JSON object with its `type`.
"""

import asyncio
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
import json
import time
from typing import Any, Final, assert_never
import uuid

from aiohttp import WSMsgType, web

from ..gateway import merged
from ..process import DemoError
from .speech_model import (
    RATE,
    WIDTH,
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
)

type JsonObject = dict[str, Any]
type Hear = Callable[[bytes], Awaitable[str]]
"""Samples at `RATE` -> words."""

type Speak = Callable[[str], Awaitable[bytes]]
"""Words -> samples at `RATE`."""

PIECE: Final = 0.2
"""Seconds of sound in one event."""

HELD_AFTER: Final = 5
"""Pieces of sound of an answer that is held: enough for the gateway to take it for heard."""

SPEED: Final = 8.0
"""How many times faster than it is heard the sound of an answer is made."""

KEPT: Final = 1_000

CONSULT_TOOL: Final = "openclaw_agent_consult"
CONTROL_TOOL: Final = "openclaw_agent_control"


@dataclass(slots=True, kw_only=True)
class ProviderTurn:
    """An utterance and what became of it. Times are of `time.monotonic`."""

    ended_at: float = field(default_factory=time.monotonic)
    """When the end of speech was found."""

    heard: str = field(default="", repr=False)
    reply: str = field(default="", repr=False)
    """Words of the answer, as far as they were sent."""

    first_sound_at: float | None = None
    is_complete: bool = False
    is_cancelled: bool = False


@dataclass(slots=True, kw_only=True)
class SpeechModel:
    """What all sessions share: how it hears, thinks and speaks, and what it has heard and said."""

    hear: Hear
    speak: Speak
    speed: float = SPEED
    """How many times faster than it is heard the sound of an answer is sent."""

    thinking: float = 0.05
    """Seconds from the words to the first sound."""

    holds: bool = False
    """Long answers that begin now stop after `HELD_AFTER` pieces of sound, until they are cut off."""

    mind: Mind = field(default_factory=Mind)
    configurations: deque[JsonObject] = field(default_factory=lambda: deque(maxlen=KEPT))
    """What every session was first asked to be."""

    turns: deque[ProviderTurn] = field(default_factory=lambda: deque(maxlen=KEPT))


class ProviderSession:
    """One session: what it is told, what it hears, and the one response it may be giving."""

    def __init__(self, model: SpeechModel, peer: web.WebSocketResponse) -> None:
        """Serve `peer`, which is connected."""
        self._model = model
        self._peer = peer
        self._ears = Ears()
        self._configuration: JsonObject = {}
        self._item_id = ""
        self._response_id = ""
        self._responding: asyncio.Task[None] | None = None
        self._hearing: set[asyncio.Task[None]] = set()
        self._to_say: deque[str] = deque()
        """Texts the gateway wants to be said, and results of tools."""

        self._turn = ProviderTurn()

    async def run(self, name: str) -> None:
        """Serve the session to its end; `name` is that of the model."""
        session = {"type": "realtime", "id": _new_id("sess"), "model": name}
        await self._send("session.created", session=session)
        try:
            async for message in self._peer:
                if message.type is WSMsgType.TEXT:
                    await self._take(json.loads(message.data))
        finally:
            tasks = [task for task in (self._responding, *self._hearing) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def hang_up(self) -> None:
        """End the session as if the line broke."""
        await self._peer.close(code=1011, message=b"restart")

    # what the gateway says

    async def _take(self, event: JsonObject) -> None:
        match event["type"]:
            case "session.update":
                await self._configure(event["session"])
            case "input_audio_buffer.append":
                await self._listen(b64decode(event["audio"]))
            case "conversation.item.create":
                await self._add(event["item"])
            case "response.create":
                await self._respond_now(event)
            case "response.cancel":
                if not await self._cancel("client_cancelled"):
                    await self._refuse("Cancellation failed: no active response found", event)
            case "conversation.item.truncate":
                await self._send(
                    "conversation.item.truncated",
                    item_id=event["item_id"],
                    content_index=0,
                    audio_end_ms=event["audio_end_ms"],
                )
            case _:
                pass

    async def _configure(self, session: JsonObject) -> None:
        is_first = not self._configuration
        self._configuration = merged(self._configuration, session)
        if is_first:
            self._model.configurations.append(session)
        silence = self._detection.get("silence_duration_ms")
        if silence is not None:
            self._ears.silence = silence / 1000
        await self._send("session.updated", session=self._configuration)

    @property
    def _detection(self) -> JsonObject:
        audio = self._configuration.get("audio", {})
        return audio.get("input", {}).get("turn_detection") or {}

    async def _add(self, item: JsonObject) -> None:
        if item["type"] == "function_call_output":
            self._to_say.append(_result_of(item["output"]))
        elif item.get("content"):
            self._to_say.append(str(item["content"][0].get("text", "")))
        await self._send("conversation.item.added", item={"id": _new_id("item")} | item)

    async def _respond_now(self, event: JsonObject) -> None:
        if self._is_responding:
            message = "Conversation already has an active response in progress"
            await self._refuse(f"{message}: {self._response_id}", event)
            return
        text = self._to_say[-1] if self._to_say else "Okay."
        self._to_say.clear()
        self._respond(Say(text=text))

    # what it hears

    async def _listen(self, samples: bytes) -> None:
        for found in self._ears.feed(samples):
            if isinstance(found, SpeechStarted):
                self._item_id = _new_id("item")
                await self._send(
                    "input_audio_buffer.speech_started",
                    audio_start_ms=round(self._ears.heard * 1000),
                    item_id=self._item_id,
                )
                if self._detection.get("interrupt_response", True):
                    await self._cancel("turn_detected")
            else:
                await self._end_of_speech(found.samples)

    async def _end_of_speech(self, samples: bytes) -> None:
        item_id = self._item_id
        await self._send(
            "input_audio_buffer.speech_stopped",
            audio_end_ms=round(self._ears.heard * 1000),
            item_id=item_id,
        )
        await self._send("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        await self._send("conversation.item.added", item=item)
        # In the background: the recogniser takes a moment, in which somebody may go on speaking.
        task = asyncio.create_task(self._understand(samples, item_id, ProviderTurn()))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)

    async def _understand(self, samples: bytes, item_id: str, turn: ProviderTurn) -> None:
        try:
            text = await self._model.hear(samples)
        except DemoError as err:
            await self._send("error", error={"type": "server_error", "message": str(err)})
            return
        turn.heard = text
        self._turn = turn
        self._model.turns.append(turn)
        what = "conversation.item.input_audio_transcription"
        for word in text.split():
            await self._send(f"{what}.delta", item_id=item_id, content_index=0, delta=f"{word} ")
        usage = {"type": "duration", "seconds": round(len(samples) / RATE / WIDTH)}
        done = {"item_id": item_id, "content_index": 0, "transcript": text, "usage": usage}
        await self._send(f"{what}.completed", **done)
        if self._detection.get("create_response", True):
            await self._cancel("turn_detected")
            self._respond(self._model.mind.react(text))

    # what it answers

    @property
    def _is_responding(self) -> bool:
        return self._responding is not None and not self._responding.done()

    def _respond(self, reaction: Reaction) -> None:
        self._responding = asyncio.create_task(self._answer(reaction))

    async def _cancel(self, reason: str) -> bool:
        """Stop the response; return whether there was one."""
        task = self._responding
        if task is None or task.done():
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._turn.is_cancelled = True
        details = {"type": "cancelled", "reason": reason}
        await self._done("cancelled", status_details=details)
        return True

    async def _answer(self, reaction: Reaction) -> None:
        match reaction:
            case Say(text=text):
                await self._say(text)
            case Consult(question=question):
                await self._call(CONSULT_TOOL, {"question": question, "responseStyle": "short"})
            case Control(mode=mode):
                await self._call(CONTROL_TOOL, {"text": self._turn.heard, "mode": mode})
            case Fail():
                await self._begin()
                error = {"type": "server_error", "message": "The server had an error"}
                await self._done("failed", status_details={"type": "failed", "error": error})
            case Limit():
                error = {"type": "rate_limit_error", "code": "rate_limit_exceeded"}
                await self._send("error", error=error | {"message": "Rate limit reached"})
            case HangUp():
                await self.hang_up()
            case _:
                assert_never(reaction)

    async def _begin(self) -> None:
        self._response_id = _new_id("resp")
        response = {"id": self._response_id, "status": "in_progress", "output": []}
        await self._send("response.created", response=response)

    async def _done(self, status: str, **fields: object) -> None:
        response = {"id": self._response_id, "status": status, "output": []} | fields
        await self._send("response.done", response=response)

    async def _call(self, name: str, arguments: Mapping[str, object]) -> None:
        await self._begin()
        call = {
            "call_id": _new_id("call"),
            "name": name,
            "arguments": json.dumps(arguments),
        }
        item_id = _new_id("item")
        await self._send(
            "response.function_call_arguments.done",
            response_id=self._response_id,
            item_id=item_id,
            **call,
        )
        item = {"id": item_id, "type": "function_call", "status": "completed"} | call
        await self._done("completed", output=[item])

    async def _say(self, text: str) -> None:
        await self._begin()
        turn, item_id = self._turn, _new_id("item")
        samples, _ = await asyncio.gather(
            self._model.speak(text), asyncio.sleep(self._model.thinking)
        )
        message = {"id": item_id, "type": "message", "role": "assistant"}
        await self._send(
            "response.output_item.added",
            response_id=self._response_id,
            output_index=0,
            item=message | {"status": "in_progress", "content": []},
        )
        where = {
            "response_id": self._response_id,
            "item_id": item_id,
            "output_index": 0,
            "content_index": 0,
        }
        await self._send_words_and_sound(text, samples, where, turn)
        await self._send("response.output_audio.done", **where)
        await self._send("response.output_audio_transcript.done", **where, transcript=text)
        turn.is_complete = True
        content = [{"type": "output_audio", "transcript": text}]
        item = message | {"status": "completed", "content": content}
        await self._done("completed", output=[item], usage={"total_tokens": len(text)})

    async def _send_words_and_sound(
        self, text: str, samples: bytes, where: JsonObject, turn: ProviderTurn
    ) -> None:
        """Send words and sound side by side, faster than they are heard."""
        is_held = self._model.holds
        size = round(PIECE * RATE) * WIDTH
        pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
        words = text.split(" ")
        for number, piece in enumerate(pieces):
            until = len(words) * (number + 1) // len(pieces)
            since = len(words) * number // len(pieces)
            if delta := "".join(f"{word} " for word in words[since:until]):
                turn.reply += delta
                what = "response.output_audio_transcript.delta"
                await self._send(what, **where, delta=delta)
            sound = b64encode(piece).decode()
            await self._send("response.output_audio.delta", **where, delta=sound)
            if turn.first_sound_at is None:
                turn.first_sound_at = time.monotonic()
            if is_held and number + 1 == HELD_AFTER:
                await asyncio.Event().wait()
            await asyncio.sleep(PIECE / self._model.speed)

    async def _refuse(self, message: str, event: JsonObject) -> None:
        error = {"type": "invalid_request_error", "message": message}
        await self._send("error", error=error | {"event_id": event.get("event_id")})

    async def _send(self, kind: str, **fields: object) -> None:
        if not self._peer.closed:
            event = {"event_id": _new_id("event"), "type": kind} | fields
            await self._peer.send_str(json.dumps(event))


def _result_of(output: str) -> str:
    """Return the words in the result of a tool."""
    try:
        result = json.loads(output)
    except ValueError:
        return output
    if not isinstance(result, dict):
        return output
    found = next((result[name] for name in ("result", "text", "message") if result.get(name)), None)
    return str(found or output)


def _new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:16]}"

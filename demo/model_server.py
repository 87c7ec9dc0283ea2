"""An OpenAI-compatible model server on this computer: no key, no internet, known answers.

It streams `POST /v1/chat/completions` the way a cloud model does and keeps what it was asked and what it sent, so
that a demo or a test can compare. What it answers is decided in `demo.script`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
import contextlib
from dataclasses import dataclass, field
import json
import socket
import time
from typing import Final, Self, assert_never

from aiohttp import web

from .process import POLL_INTERVAL
from .script import WORD_PAUSE, CallTool, Fail, Hang, JsonObject, Say, reply_to, user_text

MODEL_ID: Final = "demo-1"
MAX_REQUEST_BYTES: Final = 64 * 1024 * 1024
SHUTDOWN_TIMEOUT: Final = 1.0
ARGUMENT_CHUNK_CHARS: Final = 16

FORGOTTEN: Final = "Nobody released this answer."
"""What the model says instead of words that were held for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What the server was asked in one request, and what it had answered when this record was taken."""

    received_at: float
    """When the request came, on the clock of `time.monotonic`."""

    user_text: str
    """What the user said in the current turn."""

    messages: tuple[JsonObject, ...]
    """All messages of the request."""

    reply: str
    """The text sent so far."""

    is_complete: bool
    """The reply was sent to its end."""

    is_abandoned: bool
    """The gateway hung up before the end."""


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """A request while it is being answered."""

    messages: tuple[JsonObject, ...]
    received_at: float = field(default_factory=time.monotonic)
    sent: list[str] = field(default_factory=list)
    is_complete: bool = False
    is_abandoned: bool = False

    def record(self) -> ModelRequest:
        """Return the state of now."""
        return ModelRequest(
            received_at=self.received_at,
            user_text=user_text(self.messages),
            messages=self.messages,
            reply="".join(self.sent),
            is_complete=self.is_complete,
            is_abandoned=self.is_abandoned,
        )


class ModelServer:
    """The server, from entering to leaving its block."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        """Prepare a server on a free port of 127.0.0.1, or on a socket that is bound already."""
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._exchanges: list[_Exchange] = []
        self._taught: dict[str, str] = {}
        self._released: set[str] = set()
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", _list_models)
        # Cancels the handler when the gateway hangs up: an aborted run must be seen at once.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_TIMEOUT, access_log=None
        )

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and drop what is being answered."""
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        """What a client takes as the API's base."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> tuple[ModelRequest, ...]:
        """Every request so far, in order. May be read from another thread."""
        return tuple(exchange.record() for exchange in tuple(self._exchanges))

    def teach(self, question: str, directive: str) -> None:
        """Let a question stand for a directive of `demo.script`, also when it is heard a little wrong.

        For questions that are spoken. May be called from another thread; what was taught last wins.
        """
        self._taught = {question: directive} | {
            known: other for known, other in self._taught.items() if known != question
        }

    def release(self, held: str) -> None:
        """Let the model say what it holds back, as `MODEL:HOLD` names it, now and whenever it is asked for that again.

        It may also be asked later. May be called from another thread.
        """
        self._released.add(held)

    async def wait_for(
        self, is_wanted: Callable[[Sequence[ModelRequest]], bool], *, limit: float
    ) -> None:
        """Wait until the requests so far are as wanted. May be called in another thread's loop.

        Raises:
            TimeoutError: They are not after `limit` seconds.
        """
        async with asyncio.timeout(limit):
            while not is_wanted(self.requests):
                await asyncio.sleep(POLL_INTERVAL)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one request for a completion."""
        body: JsonObject = await request.json()
        exchange = _Exchange(messages=tuple(body.get("messages", ())))
        self._exchanges.append(exchange)
        reply = reply_to(exchange.messages, dict(self._taught))
        if isinstance(reply, Fail):
            exchange.is_complete = True
            return _error(reply.status)
        stream = _Completion(
            exchange,
            number=len(self._exchanges),
            model=body.get("model", MODEL_ID),
            is_released=lambda held: held in self._released,
        )
        try:
            if not body.get("stream"):
                return await stream.whole(reply)
            return await stream.stream(request, reply)
        except ConnectionResetError, asyncio.CancelledError:
            exchange.is_abandoned = True
            raise


class _Completion:
    """One reply on its way to the gateway."""

    def __init__(
        self,
        exchange: _Exchange,
        *,
        number: int,
        model: str,
        is_released: Callable[[str], bool],
    ) -> None:
        self._exchange = exchange
        self._number = number
        self._model = model
        self._is_released = is_released
        self._response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )

    async def stream(
        self, request: web.Request, reply: Say | CallTool | Hang
    ) -> web.StreamResponse:
        """Send the reply as server-sent events."""
        await self._response.prepare(request)
        await self._send({"role": "assistant", "content": ""})
        async for piece in self._spoken(reply):
            await self._send({"content": piece})
            self._exchange.sent.append(piece)
            await self._pause(reply)
        if isinstance(reply, CallTool):
            await self._send_call(reply)
        await self._send({}, finish_reason=_finish_reason(reply), usage=self._usage)
        self._exchange.is_complete = True
        await self._response.write(b"data: [DONE]\n\n")
        await self._response.write_eof()
        return self._response

    async def whole(self, reply: Say | CallTool | Hang) -> web.Response:
        """Send the reply as one object, for a client that does not stream."""
        async for piece in self._spoken(reply):
            self._exchange.sent.append(piece)
        self._exchange.is_complete = True
        message: JsonObject = {"role": "assistant", "content": "".join(self._exchange.sent)}
        if isinstance(reply, CallTool):
            message["tool_calls"] = [self._call(reply)]
        choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
        return web.json_response(
            self._envelope("chat.completion") | {"choices": [choice], "usage": self._usage}
        )

    async def _spoken(self, reply: Say | CallTool | Hang) -> AsyncGenerator[str]:
        """Yield the pieces of the reply, what comes late when its time has come."""
        for number, piece in enumerate(reply.pieces):
            if isinstance(reply, Hang) and number == reply.begun and not await self._hang(reply):
                yield FORGOTTEN
                return
            yield piece

    async def _hang(self, reply: Hang) -> bool:
        """Let the time before the late words pass; return False when they are not to be said."""
        if not reply.held:
            await asyncio.sleep(reply.seconds)
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(reply.seconds):
                while not self._is_released(reply.held):
                    await asyncio.sleep(POLL_INTERVAL)
        return self._is_released(reply.held)

    async def _pause(self, reply: Say | CallTool | Hang) -> None:
        """Let the time between two words pass."""
        match reply:
            case Say(pause=pause) | CallTool(pause=pause):
                await asyncio.sleep(pause)
            case Hang(begun=begun) if len(self._exchange.sent) < begun:
                await asyncio.sleep(WORD_PAUSE)
            case Hang():
                return
            case _:
                assert_never(reply)

    async def _send_call(self, reply: CallTool) -> None:
        """Send a tool call the way models do: its head, then its arguments in pieces."""
        call = self._call(reply)
        arguments: str = call["function"]["arguments"]
        head = call | {"index": 0, "function": {"name": reply.name, "arguments": ""}}
        await self._send({"tool_calls": [head]})
        for at in range(0, len(arguments), ARGUMENT_CHUNK_CHARS):
            piece = arguments[at : at + ARGUMENT_CHUNK_CHARS]
            await self._send({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})

    async def _send(
        self,
        delta: JsonObject,
        *,
        finish_reason: str | None = None,
        usage: JsonObject | None = None,
    ) -> None:
        """Send one chunk."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = self._envelope("chat.completion.chunk") | {"choices": [choice]}
        if usage:
            chunk["usage"] = usage
        await self._response.write(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode())

    def _envelope(self, kind: str) -> JsonObject:
        """Return the fields every object of this reply has."""
        return {
            "id": f"chatcmpl-{self._number}",
            "object": kind,
            "created": int(time.time()),
            "model": self._model,
        }

    def _call(self, reply: CallTool) -> JsonObject:
        """Return the tool call of this reply."""
        function = {"name": reply.name, "arguments": reply.arguments}
        return {"id": f"call_{self._number}", "type": "function", "function": function}

    @property
    def _usage(self) -> JsonObject:
        """Return plausible token counts."""
        prompt, completion = 100, max(1, len(self._exchange.sent))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


def _finish_reason(reply: Say | CallTool | Hang) -> str:
    """Return why the reply ends, in the API's words."""
    return "tool_calls" if isinstance(reply, CallTool) else "stop"


def _error(status: int) -> web.Response:
    """Return an error in the API's form."""
    error = {
        "message": "This failure is scripted.",
        "type": "scripted_error",
        "code": f"scripted_{status}",
    }
    return web.json_response({"error": error}, status=status)


async def _list_models(_: web.Request) -> web.Response:
    """List the one model."""
    return web.json_response({"object": "list", "data": [{"id": MODEL_ID, "object": "model"}]})

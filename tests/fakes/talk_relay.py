"""The realtime voice of a behaving gateway: its sessions, and the agent that they ask.

Facts: recorded (`talk-*`), and `tests/contract/test_talk.py`.
"""

from base64 import b64decode
import binascii
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
import uuid

from tests.recordings import Recording

from .agent_run import AgentRun
from .connection import Connection, Request
from .live_runs import LiveRun, Prompt
from .refusals import Refusal
from .talk_line import CONSULT_TOOL, Brain, TalkLine

if TYPE_CHECKING:
    from .small_gateway import SmallGateway

type JsonObject = dict[str, Any]

READ: Final = "operator.read"
WRITE: Final = "operator.write"
"""It implies the scope for voice, which no client of ours asks for alone."""

NEEDED_SCOPE: Final[dict[str, str]] = {
    "talk.catalog": READ,
    "talk.client.toolCall": WRITE,
    "talk.session.acknowledgeMark": WRITE,
    "talk.session.appendAudio": WRITE,
    "talk.session.cancelOutput": WRITE,
    "talk.session.close": WRITE,
    "talk.session.create": WRITE,
    "talk.session.steer": WRITE,
    "talk.session.submitToolResult": WRITE,
}
"""The methods answered here, and what each of them takes."""

SPEED: Final = 8.0
"""How many times faster than it is heard the sound of an answer is made, at the scale 1."""

PER_CONNECTION: Final = 2
PER_GATEWAY: Final = 64
MAX_AUDIO: Final = 524_288
"""Characters of base64 in one append."""

IDLE: Final = "I'm not working on an active request right now."
DEFAULT_KEY: Final = "agent:main:main"


class TalkRelay:
    """Answers the methods of `NEEDED_SCOPE` for a gateway."""

    def __init__(self, gateway: SmallGateway, *, time_scale: float = 0) -> None:
        """Work for `gateway`, which has a provider that works; `time_scale` as for its model."""
        self.brain = Brain(pace=time_scale / SPEED)
        self.lines: dict[str, TalkLine] = {}
        """Sessions by id, also those that have ended."""

        self.appended: list[JsonObject] = []
        """Params of every append."""

        self.created: list[JsonObject] = []
        """Params of every session."""

        self._gateway = gateway
        self._owners: dict[str, Connection] = {}

    @property
    def line(self) -> TalkLine:
        """The newest session.

        Raises:
            AssertionError: There was none.
        """
        assert self.lines, "the client has begun no session"
        return next(reversed(self.lines.values()))

    @property
    def open_lines(self) -> list[TalkLine]:
        """The sessions that go on."""
        return [
            line
            for line in self.lines.values()
            if line.is_open and self._owners[line.id].socket.close_code is None
        ]

    async def lose_provider(self) -> None:
        """The provider hangs up: turns are lost, with what the agent does for them."""
        for line in self.open_lines:
            self._abort_consults(line)
            await line.lose_provider()

    async def answer(self, request: Request) -> None:
        """Answer one request."""
        method = request.method.removeprefix("talk.")
        if method == "catalog":
            name = "talk-catalog" if self.brain.is_configured else "talk-catalog-none"
            answer = Recording.load(name).answer("talk.catalog")
            await request.connection.respond(request.id, answer)
        elif method == "session.create":
            await self._create(request)
        elif method == "client.toolCall":
            await self._consult(request)
        else:
            await self._serve(request, method.removeprefix("session."))

    async def _create(self, request: Request) -> None:
        params, connection = request.params, request.connection
        self.created.append(params)
        if refused := self._refusal(params, connection):
            await connection.refuse(request.id, refused)
            return

        async def tell(payload: JsonObject) -> None:
            await connection.send({"type": "event", "event": "talk.event", "payload": payload})

        key = params.get("sessionKey", DEFAULT_KEY)
        keep = self._gateway.session(key).add_spoken
        line = TalkLine(self.brain, key, tell=tell, keep=keep, spawn=self._gateway._spawn)
        self.lines[line.id] = line
        self._owners[line.id] = connection
        await connection.respond(request.id, line.created(params))
        await line.begin()
        self._gateway._spawn(self._end_with(connection, line))

    def _refusal(self, params: JsonObject, connection: Connection) -> Refusal | None:
        """Return why there is no session."""
        if not self.brain.is_configured or params.get("provider", "openai") != "openai":
            provider = params.get("provider", "openai")
            return _issue(f'Realtime voice provider "{provider}" is not configured')
        agent = AgentRun(session_key=params.get("sessionKey", DEFAULT_KEY)).agent_id
        if agent not in self._gateway.agents:
            known = "Run openclaw agents list to see configured agents."
            return Refusal(message=f'Unknown agent id "{agent}". {known}')
        if len(self.open_lines) >= PER_GATEWAY:
            return _issue("Too many active realtime relay sessions")
        mine = [line for line in self.open_lines if self._owners[line.id] is connection]
        if len(mine) >= PER_CONNECTION:
            return _issue("Too many active realtime relay sessions for this connection")
        return None

    async def _end_with(self, connection: Connection, line: TalkLine) -> None:
        """End a session with the connection that made it; what the agent does for it goes on."""
        await connection.socket.wait_closed()
        if line.is_open:
            await line.vanish()

    async def _serve(self, request: Request, method: str) -> None:
        """Answer a request about one session."""
        line = self.lines.get(request.params["sessionId"])
        if line is None or not line.is_open:
            await request.connection.refuse(request.id, _issue("Unknown Talk session"))
        elif self._owners[line.id] is not request.connection:
            message = "Talk session is not owned by this connection"
            await request.connection.refuse(request.id, _issue(message))
        else:
            answer = await self._handlers[method](line, request.params)
            if isinstance(answer, Refusal):
                await request.connection.refuse(request.id, answer)
            else:
                await request.connection.respond(request.id, answer)

    @property
    def _handlers(
        self,
    ) -> dict[str, Callable[[TalkLine, JsonObject], Awaitable[JsonObject | Refusal]]]:
        return {
            "acknowledgeMark": self._acknowledge,
            "appendAudio": self._append,
            "cancelOutput": self._cancel,
            "close": self._close,
            "steer": self._steer,
            "submitToolResult": self._submit,
        }

    async def _append(self, line: TalkLine, params: JsonObject) -> JsonObject | Refusal:
        # Without a clock the gateway interrupts nothing: no client of ours may forget it.
        assert "timestamp" in params, "an append without a timestamp"
        self.appended.append(params)
        audio = params["audioBase64"]
        if len(audio) > MAX_AUDIO:
            return _issue("Realtime relay audio frame is too large")
        try:
            pcm = b64decode(audio, validate=True)
        except binascii.Error:
            return _issue("Realtime relay audio frame is invalid base64")
        await line.hear(pcm)
        return {"ok": True}

    async def _acknowledge(self, line: TalkLine, params: JsonObject) -> JsonObject:
        line.heard_marks.append(params["markName"])
        return {"ok": True}

    async def _cancel(self, line: TalkLine, params: JsonObject) -> JsonObject:
        done = await line.cancel(params.get("turnId"), params.get("reason", "cancelled"))
        if done["status"] == "applied":
            self._abort_consults(line)
        return done

    async def _close(self, line: TalkLine, _: JsonObject) -> JsonObject:
        await line.close()
        self._abort_consults(line)
        return {"ok": True}

    async def _submit(self, line: TalkLine, params: JsonObject) -> JsonObject:
        options = params.get("options", {})
        await line.take_result(
            params["callId"],
            params["result"],
            will_continue=options.get("willContinue", False),
            suppress=options.get("suppressResponse", False),
        )
        return {"ok": True}

    async def _steer(self, line: TalkLine, params: JsonObject) -> JsonObject:
        mode = params.get("mode", "status")
        running = self._running(line)
        result: JsonObject = {
            "ok": True,
            "mode": mode,
            "sessionKey": line.session_key,
            "active": bool(running),
            "message": "OpenClaw is working." if running else IDLE,
            "speak": True,
            "show": True,
            "suppress": False,
        }
        if running and mode in ("steer", "followup"):
            result |= {"queued": True, "target": "embedded_run"}
        if running and mode == "cancel":
            result |= {"aborted": True, "message": "Cancelled the active OpenClaw run."}
            self._abort_consults(line)
        await line.steered(result)
        return result

    # --- the agent ---

    async def _consult(self, request: Request) -> None:
        """Let the agent answer a call of the speech model."""
        params = request.params
        line = self.lines.get(params.get("relaySessionId", ""))
        if params["name"] != CONSULT_TOOL:
            message = f"unsupported realtime Talk tool: {params['name']}"
            await request.connection.refuse(request.id, Refusal(message=message))
            return
        if line is None or not line.is_open:
            await request.connection.refuse(request.id, _issue("Unknown Talk session"))
            return
        if params["sessionKey"] != line.session_key:
            message = "Error: Realtime relay session belongs to another agent session"
            await request.connection.refuse(request.id, Refusal(message=message))
            return
        run_id = f"talk-{params['callId']}-{uuid.uuid4()}"
        run = AgentRun(run_id=run_id, session_key=line.session_key, request_id=request.id)
        live = LiveRun(
            run=run,
            session=self._gateway.session(line.session_key),
            message=params["args"]["question"],
            sender=request.connection.number,
            is_chat_send=True,
        )
        prompt = Prompt(text=live.message, is_hidden=True)
        self._gateway.runs[run_id] = live
        line.consults[params["callId"]] = run_id
        answer = {
            "runId": run_id,
            "idempotencyKey": run_id,
            "agentId": run.agent_id,
            "agentSessionKey": line.session_key,
        }
        await request.connection.respond(request.id, answer)
        live.task = self._gateway._spawn(self._gateway.play(live, prompt))

    def _running(self, line: TalkLine) -> list[LiveRun]:
        """Return the runs that answer for a session and go on."""
        runs = [self._gateway.runs.get(run_id) for run_id in line.consults.values()]
        return [live for live in runs if live is not None and not live.ended.is_set()]

    def _abort_consults(self, line: TalkLine) -> None:
        for live in self._running(line):
            live.end_aborted()
            if live.task:
                live.task.cancel()
            self._gateway._spawn(self._tell_abort(live))

    async def _tell_abort(self, live: LiveRun) -> None:
        live.session.active = None
        await self._gateway._broadcast(*live.run.abort())


def _issue(message: str) -> Refusal:
    text = f"Error: {message}"
    issue = {"code": "realtime_unavailable", "message": text, "phase": "request"}
    return Refusal(code="UNAVAILABLE", message=text, details={"talkIssue": issue})

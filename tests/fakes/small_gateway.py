"""A gateway that behaves: small, quick, and for everything the integration asks of a real one.

What its agents say is decided by `demo.script`, from the words of the user, as for the real gateway
with the demo's model server. Time is scaled: with 0 an answer comes at once and `MODEL:HANG` hangs
until it is aborted.
"""

import asyncio
from collections.abc import Callable, Sequence
import hashlib
import json
import ssl
from typing import Any, Final, assert_never, override
import uuid

from demo.script import CallTool, Fail, Hang, Reply, Say, reply_to

from .agent_run import SILENCE, AgentRun
from .authorization import Authorizer
from .connection import ABORTED, Request
from .frames import hello_ok
from .live_runs import RECOVERY_PROMPT, RECOVERY_TOOL, LiveRun, Session
from .reads import NEEDED_SCOPE as READS, THINKING, Reads
from .refusals import (
    Refusal,
    missing_scope,
    restarting,
    still_starting,
    unwanted_context,
    unwanted_file,
)
from .server import GatewayServer
from .stop_words import is_stop_word

type JsonObject = dict[str, Any]
type Model = Callable[[Sequence[JsonObject]], Reply]
type Tools = Callable[[str, JsonObject], str]

SECRET: Final = "the shared secret"
HISTORY_LIMIT: Final = 200
NEEDED_SCOPE: Final = {
    "agent": "operator.write",
    "agent.wait": "operator.write",
    "agents.list": "operator.read",
    "chat.abort": "operator.write",
    "chat.history": "operator.read",
    "chat.send": "operator.write",
    "gateway.identity.get": "operator.read",
} | READS
SHUTDOWN: Final = {"type": "event", "event": "shutdown", "payload": {"reason": "gateway stopping"}}
DEVICE_REMOVED: Final = 4001


class SmallGateway(GatewayServer):
    """The behaving one."""

    def __init__(
        self,
        *,
        secret: str = SECRET,
        agents: Sequence[str] = ("main",),
        is_remote: bool = False,
        time_scale: float = 0,
        model: Model = reply_to,
        tools: Tools | None = None,
        ssl_context: ssl.SSLContext | None = None,
        tick_interval_ms: int = 30_000,
    ) -> None:
        """Prepare a gateway.

        Args:
            secret: The shared secret.
            agents: Ids of the agents; the first is the default one if it is the only one.
            is_remote: Clients count as coming from another host: a device needs an approval.
            time_scale: How fast the model is: 1 is the time `demo.script` says.
            model: Decides what is answered.
            tools: Runs a tool and returns its result; by default `echo` of the tool `exec`.
            ssl_context: Serve TLS.
            tick_interval_ms: What the hello announces and what is kept.
        """
        super().__init__(ssl_context=ssl_context, tick_interval_ms=tick_interval_ms)
        self.authorizer = Authorizer(secret, is_remote=is_remote)
        self.secret = secret
        self.agents = list(agents)
        self.device_id = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        """Its own identity, which stays over restarts."""

        self.sessions: dict[str, Session] = {}
        self.runs: dict[str, LiveRun] = {}
        self.reads = Reads(self)
        self.starts_slowly = 0
        """So many connects are put off as too early."""

        self.continues_interrupted_runs = True
        self._time_scale = time_scale
        self._model = model
        self._tools = tools or echo
        self._is_draining = False

    def approve(self, request_id: str | None = None) -> None:
        """Approve a waiting device, as the owner does."""
        self.authorizer.approve(request_id)

    async def remove(self, device_id: str) -> None:
        """Remove a device, as the owner does; its connections are closed."""
        self.authorizer.remove(device_id)
        for client in self._open_clients():
            if client.device_id == device_id:
                await client.drop(DEVICE_REMOVED, "device removed")

    def setup_code(self) -> str:
        """Make a setup code, as the owner does."""
        return self.authorizer.new_setup_code(self.url)

    async def kill(self) -> None:
        """End like a killed process: connections are cut, runs are lost, what was said stays."""
        await self.stop()
        self._forget()

    @override
    async def restart(self, code: int = ABORTED, reason: str = "") -> None:
        await self.stop(code, reason)
        self._forget()
        await self.come_back()

    async def come_back(self) -> None:
        """Begin as a new process, and continue the turns the old one was killed in."""
        self.boot_id = str(uuid.uuid4())
        self._is_draining = False
        await self.start()
        for session in self.sessions.values():
            if session.was_interrupted and self.continues_interrupted_runs:
                self._continue(session)

    async def shut_down(self) -> None:
        """End in order: finish the active runs, say goodbye, close."""
        self._is_draining = True
        self.refuse_upgrade(503)
        for live in [live for live in self.runs.values() if live.response is None]:
            await live.ended.wait()
        await self._broadcast(SHUTDOWN)
        await self.stop(1012, "service restart")
        self._forget()
        self.accept()

    @override
    def _forget(self) -> None:
        for live in self.runs.values():
            if live.task and not live.ended.is_set():
                live.task.cancel()
                live.session.was_interrupted = live.is_started
            live.session.active = None
        self.runs.clear()

    @override
    async def _handle(self, request: Request) -> None:
        if request.method == "connect":
            await self._connect(request)
            return
        needed = NEEDED_SCOPE.get(request.method, "operator.admin")
        if needed not in request.connection.scopes:
            await request.connection.refuse(request.id, missing_scope(needed))
            return
        match request.method:
            case "agent" | "chat.send":
                await self._start_run(request)
            case "agent.wait":
                self._spawn(self._wait(request))
            case "agents.list":
                await request.connection.respond(request.id, self._agent_list())
            case "chat.abort":
                await self._abort(request)
            case "chat.history":
                limit = request.params.get("limit", HISTORY_LIMIT)
                session = self._session(request.params["sessionKey"])
                await request.connection.respond(request.id, session.history(limit))
            case "gateway.identity.get":
                identity = {"deviceId": self.device_id, "publicKey": self.device_id[:43]}
                await request.connection.respond(request.id, identity)
            case method if method in READS:
                await self.reads.answer(request)

    # --- connections ---

    async def _connect(self, request: Request) -> None:
        """Let a client in or not."""
        connection = request.connection
        if self.starts_slowly:
            self.starts_slowly -= 1
            await connection.refuse(request.id, still_starting())
            return
        admission = self.authorizer.decide(request.params, connection.challenge)
        if isinstance(admission, Refusal):
            await connection.refuse(request.id, admission)
            return
        connection.scopes, connection.device_id = admission.scopes, admission.device_id
        self._admit(connection)
        hello = hello_ok(
            scopes=admission.scopes,
            auth_method=admission.method,
            device_token=admission.device_token,
            boot_id=self.boot_id,
            tick_interval_ms=self.tick_interval_ms,
            default_agent=self.agents[0],
            is_selection_required=len(self.agents) > 1,
        )
        await connection.respond(request.id, hello)

    async def _broadcast(self, *frames: JsonObject, sender: int = 0) -> None:
        """Send events to everybody who may read; a tool's details to the sender only."""
        for frame in frames:
            is_private = frame["payload"].get("stream") == "tool"
            for client in self._open_clients():
                may_see = client.number == sender and "tool-events" in client.caps
                if "operator.read" in client.scopes and (may_see or not is_private):
                    await client.send(frame)

    def _agent_list(self) -> JsonObject:
        """Return what agents there are."""
        is_single = len(self.agents) == 1
        agents = [
            {"id": agent, "name": agent.title(), "model": {"primary": "demo/demo-1"}} | THINKING
            for agent in self.agents
        ]
        return {
            "defaultId": self.agents[0],
            "ownership": "sole" if is_single else "explicit",
            "selectionRequired": not is_single,
            "mainKey": "main",
            "scope": "per-sender",
            "agents": agents,
        }

    # --- runs ---

    def _session(self, key: str) -> Session:
        return self.sessions.setdefault(key.lower(), Session(key=key.lower()))

    async def _start_run(self, request: Request) -> None:
        """Start a run, or answer a repeated request from memory."""
        params, connection = request.params, request.connection
        if known := self.runs.get(params["idempotencyKey"]):
            await connection.send(known.repeated(request.id))
            return
        if self._is_draining:
            await connection.refuse(request.id, restarting())
            return
        is_chat_send = request.method == "chat.send"
        if is_chat_send and is_stop_word(params["message"]):
            if "workContext" in params:
                await connection.refuse(request.id, unwanted_context())
            else:
                await self._abort(request)
            return
        key = params.get("sessionKey") or f"agent:{params.get('agentId', self.agents[0])}:main"
        run = AgentRun(run_id=params["idempotencyKey"], session_key=key, request_id=request.id)
        if run.agent_id not in self.agents:
            message = f'Agent "{run.agent_id}" no longer exists in configuration'
            await connection.refuse(request.id, Refusal(message=message))
            return
        if refused := unwanted_file(request.method, params.get("attachments", ())):
            await connection.refuse(request.id, refused)
            return
        live = LiveRun(
            run=run,
            session=self._session(key),
            message=params["message"],
            timeout=params["timeoutMs"] / 1000 if is_chat_send else params.get("timeout"),
            sender=connection.number,
            is_chat_send=is_chat_send,
        )
        self.runs[run.run_id] = live
        await connection.respond(request.id, run.sent() if is_chat_send else run.accepted())
        live.task = self._spawn(self._play(live))

    def _continue(self, session: Session) -> None:
        """Continue an interrupted turn as a run of the gateway's own."""
        question = next(row["content"] for row in reversed(session.rows) if row["role"] == "user")
        run = AgentRun(session_key=session.key)
        live = LiveRun(run=run, session=session, message=question)
        session.was_interrupted = False
        self.runs[run.run_id] = live
        live.task = self._spawn(self._play(live, is_continued=True))

    async def _play(self, live: LiveRun, *, is_continued: bool = False) -> None:
        """Play a run from its turn in the session to its last response."""
        session, run = live.session, live.run
        async with session.turn:
            session.active = session.last = live
            if is_continued:
                kind = {"kind": "internal_system", "sourceTool": RECOVERY_TOOL}
                session.add_user(run, RECOVERY_PROMPT, provenance=kind)
            else:
                session.add_user(run, live.message)
            live.is_started = True
            try:
                async with asyncio.timeout(live.timeout):
                    await self._broadcast(*run.start())
                    await self._answer(live)
            except TimeoutError:
                live.end_timed_out()
                await self._broadcast(*run.fail(str(live.outcome["error"]), kind="timeout"))
            session.active = None
        await self._respond_last(live)

    async def _answer(self, live: LiveRun) -> None:
        """Let the model answer, with as many tools as it wants."""
        messages: list[JsonObject] = [{"role": "user", "content": live.message}]
        while True:
            reply = self._model(messages)
            match reply:
                case Fail():
                    await self._fail(live, reply)
                    return
                case Hang():
                    await self._hang(reply)
                case Say() | CallTool():
                    pass
                case _:
                    assert_never(reply)
            text = "".join(reply.pieces)
            if text == SILENCE or not (text or isinstance(reply, CallTool)):
                await self._end_without_answer(live, "silent" if text else "empty")
                return
            await self._say(live, reply)
            live.session.add_text(live.run, text)
            if not isinstance(reply, CallTool):
                break
            messages += await self._call(live, reply)
        frames = live.run.end()
        live.end_ok()
        await self._broadcast(*frames)

    async def _say(self, live: LiveRun, reply: Say | CallTool | Hang) -> None:
        """Stream the text of one reply."""
        pause = 0 if isinstance(reply, Hang) else reply.pause
        for piece in reply.pieces:
            await self._broadcast(*live.run.say(piece))
            await asyncio.sleep(pause * self._time_scale)

    async def _hang(self, reply: Hang) -> None:
        """Say nothing for the time of the script, or until the run is aborted."""
        if self._time_scale:
            await asyncio.sleep(reply.seconds * self._time_scale)
        else:
            await asyncio.Event().wait()

    async def _call(self, live: LiveRun, call: CallTool) -> list[JsonObject]:
        """Run a tool and return the messages it adds to what the model sees."""
        run, call_id = live.run, f"call_{len(live.run.tools) + 1}"
        arguments: JsonObject = json.loads(call.arguments)
        title = f"{call.name.title()} {next(iter(arguments.values()), '')}".strip()
        live.session.add_call(run, call_id, call.name, arguments)
        frames = run.tool_start(call_id, call.name, arguments, title=title)
        await self._broadcast(*frames, sender=live.sender)
        result = self._tools(call.name, arguments)
        live.session.add_result(run, call_id, call.name, result)
        frames = run.tool_end(call_id, call.name, result, title=title)
        await self._broadcast(*frames, sender=live.sender)
        return [{"role": "assistant", "content": ""}, {"role": "tool", "content": result}]

    async def _end_without_answer(self, live: LiveRun, disposition: str) -> None:
        """Ask the model once more, as the gateway does, and give up."""
        if disposition == "empty":
            live.session.add_text(live.run, "")
        tell = live.run.chat_no_answer if live.is_chat_send else live.run.no_answer
        frames = tell(disposition)
        live.end_without_answer(disposition)
        await self._broadcast(*frames)

    async def _fail(self, live: LiveRun, reply: Fail) -> None:
        """End a run whose model answers with an error."""
        message = f"LLM request failed (HTTP {reply.status})."
        frames = live.run.fail(message)
        live.end_failed(message)
        await self._broadcast(*frames)

    async def _respond_last(self, live: LiveRun) -> None:
        """Send the last response to who asked, if that connection is still there."""
        for client in self._open_clients():
            if client.number == live.sender and live.response and not live.is_chat_send:
                await client.send(live.response)

    async def _abort(self, request: Request) -> None:
        """Abort a run of a session."""
        live = self.runs.get(request.params.get("runId", ""))
        if live is None:
            live = self._session(request.params["sessionKey"]).active
        if live is None or live.ended.is_set():
            nothing = {"ok": True, "aborted": False, "runIds": []}
            await request.connection.respond(request.id, nothing)
            return
        live.end_aborted()
        if live.task:
            live.task.cancel()
        self._spawn(self._finish_abort(live, request))

    async def _finish_abort(self, live: LiveRun, request: Request) -> None:
        """Tell everybody about an abort, in the order of the gateway."""
        run, session = live.run, live.session
        if live.is_started:
            session.active = None
            aborted = {"aborted": True, "origin": "rpc", "runId": run.run_id}
            session.add_text(run, run.text, model="gateway-injected", openclawAbort=aborted)
        await self._broadcast(*run.abort())
        done = {"ok": True, "aborted": True, "runIds": [run.run_id]}
        await request.connection.respond(request.id, done)
        await self._broadcast(run.abort_settled())
        await self._respond_last(live)

    async def _wait(self, request: Request) -> None:
        """Wait for the end of a run, as long as the request says."""
        run_id = request.params["runId"]
        payload: JsonObject = {"runId": run_id, "status": "timeout"}
        if live := self.runs.get(run_id):
            try:
                async with asyncio.timeout(request.params.get("timeoutMs", 0) / 1000):
                    await live.ended.wait()
            except TimeoutError:
                pass
            payload = live.outcome or payload
        await request.connection.respond(request.id, payload)


def echo(name: str, arguments: JsonObject) -> str:
    """Run the tool `exec` as far as it echoes."""
    command = str(arguments.get("command", ""))
    _, found, text = command.rpartition("echo ")
    return text.strip("\"'") if name == "exec" and found else "(no output)"

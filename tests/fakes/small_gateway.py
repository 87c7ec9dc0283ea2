"""A gateway that behaves: small, quick, and for everything the integration asks of a real one.

What its agents say is decided by `demo.script`, from the words of the user, as for the real gateway
with the demo's model server. Time is scaled: with 0 an answer comes at once and `MODEL:HANG` hangs
until it is aborted.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
import hashlib
import ssl
from typing import Any, Final, override
import uuid

from demo.script import reply_to

from .agent_run import AgentRun
from .authorization import Authorizer
from .connection import ABORTED, Request
from .frames import hello_ok
from .live_runs import CONTINUATION, LiveRun, Session
from .own_work import NEEDED_SCOPE as OWN_WORK, OwnWork
from .people import NEEDED_SCOPE as PEOPLE, People
from .reads import NEEDED_SCOPE as READS, THINKING, Choice, Reads
from .refusals import (
    Refusal,
    missing_scope,
    restarting,
    still_starting,
    unwanted_context,
    unwanted_file,
)
from .run_player import Model, RunPlayer, Tools
from .stop_words import is_stop_word
from .talk_relay import NEEDED_SCOPE as TALK, TalkRelay

type JsonObject = dict[str, Any]

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
} | (READS | PEOPLE | OWN_WORK | TALK)
SHUTDOWN: Final = {"type": "event", "event": "shutdown", "payload": {"reason": "gateway stopping"}}
DEVICE_REMOVED: Final = 4001


class SmallGateway(RunPlayer):
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
        super().__init__(
            time_scale=time_scale,
            model=model,
            tools=tools,
            ssl_context=ssl_context,
            tick_interval_ms=tick_interval_ms,
        )
        self.authorizer = Authorizer(secret, is_remote=is_remote)
        self.secret = secret
        self.agents = list(agents)
        self.device_id = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        """Its own identity, which stays over restarts."""

        self.people = People(self)
        self.reads = Reads(self)
        self.own_work = OwnWork(self)
        self.talk = TalkRelay(self, time_scale=time_scale)
        self._answerers: Mapping[str, Callable[[Request], Awaitable[None]]] = (
            dict.fromkeys(OWN_WORK, self.own_work.answer)
            | dict.fromkeys(READS, self.reads.answer)
            | dict.fromkeys(PEOPLE, self.people.answer)
            | dict.fromkeys(TALK, self.talk.answer)
        )
        self.starts_slowly = 0
        """So many connects are put off as too early."""

        self.continues_interrupted_runs = True
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
        self.people.forget()
        self.own_work.forget()

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
                session = self.session(request.params["sessionKey"])
                await request.connection.respond(request.id, session.history(limit))
            case "gateway.identity.get":
                identity = {"deviceId": self.device_id, "publicKey": self.device_id[:43]}
                await request.connection.respond(request.id, identity)
            case method if method in self._answerers:
                await self._answerers[method](request)

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
            session=self.session(key),
            message=params["message"],
            timeout=params["timeoutMs"] / 1000 if is_chat_send else params.get("timeout"),
            sender=connection.number,
            is_chat_send=is_chat_send,
        )
        self.runs[run.run_id] = live
        await connection.respond(request.id, run.sent() if is_chat_send else run.accepted())
        live.task = self._spawn(self.play(live))

    @override
    async def _use_tool(self, live: LiveRun, call_id: str, name: str, arguments: JsonObject) -> str:
        """Ask people first, where the session is set so, or when that is the tool."""
        if name == "tool_call" and arguments.get("id") == "ask_user":
            return await self.people.ask_user(live, arguments["args"]["questions"])
        choice = self.reads.choices.get(live.session.key, Choice())
        if name == "exec" and choice.permission_mode == "guarded":
            denied = await self.people.exec(live, call_id, str(arguments["command"]))
            if denied is not None:
                return denied
        return await super()._use_tool(live, call_id, name, arguments)

    def _continue(self, session: Session) -> None:
        """Continue an interrupted turn as a run of the gateway's own."""
        question = next(row["content"] for row in reversed(session.rows) if row["role"] == "user")
        run = AgentRun(session_key=session.key)
        live = LiveRun(run=run, session=session, message=question)
        session.was_interrupted = False
        self.runs[run.run_id] = live
        live.task = self._spawn(self.play(live, CONTINUATION))

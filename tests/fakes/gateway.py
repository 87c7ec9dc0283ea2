"""A gateway that plays a script and checks that the client keeps to it.

    gateway.script(
        Expect("agent", reply=accepted(), emit=[started(), said("Hel", "lo"), ended()]),
        Expect("chat.abort", emit=[aborted(), abort_response(), abort_settled()]),
    )

Strict: a request that is not the next one fails the test, and so do steps left over. `connect` is
answered with `gateway.hello` unless it is the next step.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import json
import ssl
from typing import Any, override

from .agent_run import AgentRun
from .connection import ABORTED, Connection, Request
from .frames import Piece, hello_ok
from .refusals import Refusal
from .server import GatewayServer

type JsonObject = dict[str, Any]
type Predicate = Callable[[JsonObject], bool]
type Reply = JsonObject | list[JsonObject] | Refusal | Piece | None


@dataclass(frozen=True, slots=True)
class Action:
    """Something a step does between its frames."""

    perform: Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to the step's request, where it does not come first."""

    payload: Callable[[AgentRun], JsonObject]


type Emission = Piece | Action | Answer


@dataclass(frozen=True, slots=True)
class Expect:
    """One step: the request that must come next, and what happens then."""

    method: str
    params: Mapping[str, object] | Predicate | None = field(default=None, kw_only=True)
    """Fields the params must have, or what must be true of them."""

    reply: Reply = field(default=None, kw_only=True)
    """A payload, a refusal, or words about the run; `None` answers nothing."""

    emit: Sequence[Emission | Sequence[Emission]] = field(default=(), kw_only=True)
    """What follows the reply, in order."""

    def mismatch(self, request: Request) -> str | None:
        """Return why a request is not the expected one."""
        if request.method != self.method:
            return f"expected {self.method}, but {request.method} came"
        if callable(self.params):
            return None if self.params(request.params) else f"unexpected params of {self.method}"
        for name, value in (self.params or {}).items():
            if request.params.get(name) != value:
                return f"{self.method}: {name} is {request.params.get(name)!r}, not {value!r}"
        return None


def drop(code: int = ABORTED, reason: str = "") -> Action:
    """Close the connection of the step, or cut it with 1006."""
    return Action(lambda connection: connection.drop(code, reason))


def wait_for(happening: asyncio.Event) -> Action:
    """Wait until the test sets an event."""

    async def perform(_: Connection) -> None:
        await happening.wait()

    return Action(perform)


def respond(payload: JsonObject) -> Answer:
    """Answer the request of the step now, between other frames."""
    return Answer(lambda _: payload)


def abort_response(*, was_active: bool = True) -> Answer:
    """Answer `chat.abort`; it comes after the frames of the aborted run."""
    return Answer(
        lambda run: {"ok": True, "aborted": was_active, "runIds": [run.run_id] * was_active}
    )


def refuse(refusal: Refusal) -> Action:
    """Refuse the newest request now, between other frames."""

    async def perform(connection: Connection) -> None:
        await connection.refuse(next(reversed(connection.requests)), refusal)

    return Action(perform)


def raw(data: str | bytes | JsonObject) -> Action:
    """Send anything at all; an object as JSON, unchecked and unnumbered."""
    text = json.dumps(data) if isinstance(data, dict) else data
    return Action(lambda connection: connection.send_raw(text))


def skip_seq(count: int) -> Action:
    """Let the numbers of events jump, as when frames were dropped; back with a negative count."""

    async def perform(connection: Connection) -> None:
        connection.seq += count

    return Action(perform)


class ScriptedGateway(GatewayServer):
    """The strict one."""

    def __init__(
        self, *, ssl_context: ssl.SSLContext | None = None, tick_interval_ms: int = 30_000
    ) -> None:
        """Start with an empty script."""
        super().__init__(ssl_context=ssl_context, tick_interval_ms=tick_interval_ms)
        self.hello: Reply = None
        """Answers `connect` when the script does not; by default a hello with all scopes asked."""

        self.runs: dict[str, AgentRun] = {}
        """Every run the client has started, by id."""

        self._steps: list[Expect] = []
        self._anytime: dict[str, Expect] = {}
        self._playing: list[asyncio.Task[None]] = []

    def script(self, *steps: Expect) -> None:
        """Add steps."""
        self._steps.extend(steps)

    def anytime(self, *steps: Expect) -> None:
        """Answer these requests whenever and as often as they come, outside the script."""
        self._anytime |= {step.method: step for step in steps}

    @property
    def run(self) -> AgentRun:
        """The run started last.

        Raises:
            AssertionError: No run was started.
        """
        assert self.runs, "the client has started no run"
        return next(reversed(self.runs.values()))

    async def emit(self, *emissions: Emission | Sequence[Emission]) -> None:
        """Send something by itself, on the newest connection and about the run started last."""
        client = self._open_clients()[-1]
        await self._play(client, emissions, next(reversed(self.runs.values()), AgentRun()))

    async def played(self) -> None:
        """Wait until all that the script emits has been sent."""
        await asyncio.gather(*self._playing)

    @override
    def _leftovers(self) -> list[str]:
        return [f"never requested: {step.method}" for step in self._steps]

    @override
    async def _handle(self, request: Request) -> None:
        step = self._next_step(request)
        run = self._run_of(request)
        await self._reply(request, step.reply, run)
        if step.emit:
            playing = self._spawn(self._play(request.connection, step.emit, run, request.id))
            self._playing.append(playing)

    def _next_step(self, request: Request) -> Expect:
        """Take the step a request belongs to.

        Raises:
            AssertionError: The request is not the next one.
        """
        is_next = bool(self._steps) and self._steps[0].method == request.method
        if request.method in self._anytime and not is_next:
            return self._anytime[request.method]
        if request.method == "connect" and not is_next:
            return Expect("connect", reply=self.hello or self._default_hello(request))
        assert self._steps, f"unexpected request: {request.method}"
        if mismatch := self._steps[0].mismatch(request):
            raise AssertionError(mismatch)
        return self._steps.pop(0)

    async def _reply(self, request: Request, reply: Reply, run: AgentRun) -> None:
        """Give the reply of a step."""
        connection = request.connection
        if request.method == "connect" and isinstance(reply, dict):
            connection.scopes = tuple(reply["auth"]["scopes"])
            self._admit(connection)
        match reply:
            case None:
                return
            case Refusal():
                await connection.refuse(request.id, reply)
            case dict() | list():
                await connection.respond(request.id, reply)
            case _:
                await self._play(connection, (reply,), run)

    async def _play(
        self,
        connection: Connection,
        emissions: Iterable[Emission | Sequence[Emission]],
        run: AgentRun,
        request_id: str = "",
    ) -> None:
        """Send frames and perform actions in order."""
        for emission in emissions:
            if isinstance(emission, Sequence):
                await self._play(connection, emission, run, request_id)
            elif isinstance(emission, Action):
                await emission.perform(connection)
            elif isinstance(emission, Answer):
                await connection.respond(request_id, emission.payload(run))
            else:
                for frame in emission(run):
                    await connection.send(frame)

    def _default_hello(self, request: Request) -> JsonObject:
        """Let everybody in with all they ask for."""
        return hello_ok(
            scopes=request.params.get("scopes", ()),
            boot_id=self.boot_id,
            tick_interval_ms=self.tick_interval_ms,
        )

    def _run_of(self, request: Request) -> AgentRun:
        """Return the run a request starts or means."""
        params = request.params
        run_id = params.get("runId") or params.get("idempotencyKey")
        if request.method not in ("agent", "chat.send"):
            return self.runs.get(run_id or "") or next(reversed(self.runs.values()), AgentRun())
        run = self.runs.setdefault(
            params["idempotencyKey"],
            AgentRun(
                run_id=run_id,
                session_key=params.get("sessionKey", "agent:main:main"),
                agent_id=params.get("agentId"),
            ),
        )
        # A repeated request gets its answers under its own id.
        run.request_id = request.id
        return run

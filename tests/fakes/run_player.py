"""Plays the runs of a behaving gateway: the model answers, tools are used, everybody is told."""

import asyncio
from collections.abc import Callable, Sequence
import json
import ssl
from typing import Any, assert_never

from demo.script import CallTool, Fail, Hang, Reply, Say

from .agent_run import SILENCE
from .connection import Request
from .live_runs import LiveRun, Prompt, Session
from .server import GatewayServer

type JsonObject = dict[str, Any]
type Model = Callable[[Sequence[JsonObject]], Reply]
type Tools = Callable[[str, JsonObject], str]


class RunPlayer(GatewayServer):
    """What a behaving gateway does with a run once it has been accepted."""

    def __init__(
        self,
        *,
        time_scale: float,
        model: Model,
        tools: Tools | None,
        ssl_context: ssl.SSLContext | None,
        tick_interval_ms: int,
    ) -> None:
        """Start without sessions."""
        super().__init__(ssl_context=ssl_context, tick_interval_ms=tick_interval_ms)
        self.sessions: dict[str, Session] = {}
        self.runs: dict[str, LiveRun] = {}
        self._time_scale = time_scale
        self._model = model
        self._tools = tools or echo

    def session(self, key: str) -> Session:
        """Return a session; it begins when it is named first."""
        return self.sessions.setdefault(key.lower(), Session(key=key.lower()))

    async def _broadcast(self, *frames: JsonObject, sender: int = 0) -> None:
        """Send events to everybody who may read; a tool's details to the sender only."""
        for frame in frames:
            is_private = frame["payload"].get("stream") == "tool"
            for client in self._open_clients():
                may_see = client.number == sender and "tool-events" in client.caps
                if "operator.read" in client.scopes and (may_see or not is_private):
                    await client.send(frame)

    def say(self, message: str) -> str:
        """Return what the model answers to a message, without a run."""
        reply = self._model([{"role": "user", "content": message}])
        return "" if isinstance(reply, Fail) else "".join(reply.pieces)

    async def play(self, live: LiveRun, prompt: Prompt | None = None) -> None:
        """Play a run from its turn in the session to its last response.

        A run that the gateway starts by itself has a prompt of its own.
        """
        session, run = live.session, live.run
        async with session.turn:
            session.active = session.last = live
            session.add_prompt(run, prompt or Prompt(text=live.message))
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
        await self._broadcast(*map(live.run.further_final, live.sent))

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
        result = await self._use_tool(live, call_id, call.name, arguments)
        live.session.add_result(run, call_id, call.name, result)
        frames = run.tool_end(call_id, call.name, result, title=title)
        await self._broadcast(*frames, sender=live.sender)
        return [{"role": "assistant", "content": ""}, {"role": "tool", "content": result}]

    async def _use_tool(self, live: LiveRun, call_id: str, name: str, arguments: JsonObject) -> str:
        """Use a tool and return its result."""
        return self._send(live, arguments) or self._tools(name, arguments)

    def _send(self, live: LiveRun, arguments: JsonObject) -> str | None:
        """Send a message on behalf of the agent, if a call of a tool is about that."""
        if arguments.get("id") != "message":
            return None
        if not live.is_chat_send:
            return "Action send requires a target."
        text = str(arguments["args"]["message"])
        live.sent.append(text)
        live.session.add_sent(live.run, text)
        return "Sent visible reply to the current source conversation via internal-ui."

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
            live = self.session(request.params["sessionKey"]).active
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

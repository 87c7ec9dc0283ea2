"""The client of Home Assistant, against a server that plays a script."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
import time

from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

from demo import client as client_module, config_flow
from demo.client import HomeAssistantClient, HomeAssistantError
from demo.home_assistant import DOMAIN
from demo.script import JsonObject
from demo.stage import Agent, add_gateway
from demo.turn import Delta, MessageStarted, TurnEnded, TurnStarted

type Answer = Callable[[JsonObject], list[JsonObject]]
"""From a command to what follows: a result, then events; nothing closes the connection."""

AGENT = "conversation.openclaw"
ENTRY = {"entry_id": "e1", "state": "loaded"}


def result(value: object = None) -> JsonObject:
    """Return a message that says a command succeeded."""
    return {"type": "result", "success": True, "result": value}


def event(content: object) -> JsonObject:
    """Return an event of a subscription."""
    return {"type": "event", "event": content}


def pipeline_event(kind: str, **data: object) -> JsonObject:
    """Return an event of a pipeline's run."""
    return event({"type": kind, "data": data or None})


def intent_end(answer: str, response_type: str = "action_done") -> JsonObject:
    """Return the event with the answer."""
    speech = {"plain": {"speech": answer, "extra_data": None}} if answer else {}
    response = {"speech": speech, "response_type": response_type}
    output = {"response": response, "conversation_id": "c1", "continue_conversation": False}
    return pipeline_event("intent-end", processed_locally=False, intent_output=output)


@asynccontextmanager
async def home_assistant(
    answers: Mapping[str, list[JsonObject] | Answer] | None = None,
    flow: list[JsonObject] | None = None,
) -> AsyncGenerator[HomeAssistantClient]:
    """Serve scripted answers, by command, and a config flow's steps in order; connect a client."""
    steps = list(flow or [])

    async def websocket(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "auth_required"})
        is_valid = (await socket.receive_json())["access_token"] == "valid"
        await socket.send_json(
            {"type": "auth_ok" if is_valid else "auth_invalid", "ha_version": "1"}
        )
        async for message in socket:
            command = message.json()
            known = (answers or {})[command["type"]]
            if not known:
                await socket.close()
                break
            for answer in known(command) if callable(known) else known:
                await socket.send_json({"id": command["id"], **answer})
        return socket

    async def next_step(request: web.Request) -> web.Response:
        return web.json_response(steps.pop(0))

    app = web.Application()
    app.router.add_get("/api/websocket", websocket)
    app.router.add_route("*", "/api/config/config_entries/{rest:.*}", next_step)
    async with (
        TestServer(app) as server,
        HomeAssistantClient.connect(str(server.make_url("/")), "valid") as client,
    ):
        yield client
    assert not steps, "steps of the flow were left over"


pytestmark = pytest.mark.usefixtures("socket_enabled")


async def test_a_turn_is_told_event_by_event() -> None:
    """Deltas come one by one, tool activity is not text, the end carries Assist's answer."""
    turn = [
        result(),
        pipeline_event("run-start", pipeline="p1"),
        pipeline_event("intent-start", engine=AGENT),
        pipeline_event("intent-progress", chat_log_delta={"role": "assistant"}),
        pipeline_event("intent-progress", chat_log_delta={"content": "Hel"}),
        pipeline_event("intent-progress", tts_start_streaming=True),
        pipeline_event("intent-progress", chat_log_delta={"tool_calls": [{}]}),
        pipeline_event("intent-progress", chat_log_delta={"content": "lo"}),
        intent_end("Hello"),
        pipeline_event("run-end"),
    ]
    async with home_assistant({"assist_pipeline/run": turn}) as client:
        events = [seen async for seen in client.ask("Hi")]

    assert client.version == "1"
    assert [type(seen) for seen in events] == [TurnStarted, MessageStarted, Delta, Delta, TurnEnded]
    assert [seen.text for seen in events if isinstance(seen, Delta)] == ["Hel", "lo"]
    end = events[-1]
    assert isinstance(end, TurnEnded)
    assert (end.answer, end.conversation_id, end.was_local) == ("Hello", "c1", False)
    times = [seen.seconds for seen in events if not isinstance(seen, TurnStarted)]
    assert times == sorted(times)


async def test_an_answer_without_speech_is_empty() -> None:
    """A silent turn has no plain speech at all."""
    async with home_assistant(
        {"assist_pipeline/run": [result(), intent_end(""), pipeline_event("run-end")]}
    ) as client:
        (end,) = [seen async for seen in client.ask("Hi")]
    assert isinstance(end, TurnEnded)
    assert end.answer == ""


async def test_a_failing_pipeline_is_an_error() -> None:
    """The pipeline's own error is a sentence with its code."""
    error = pipeline_event("error", code="intent-failed", message="Unexpected error")
    async with home_assistant({"assist_pipeline/run": [result(), error]}) as client:
        with pytest.raises(HomeAssistantError, match=r"Unexpected error \(intent-failed\)"):
            [seen async for seen in client.ask("Hi")]


async def test_a_refused_command_is_an_error() -> None:
    """Home Assistant's reason is kept."""
    refusal = {
        "type": "result",
        "success": False,
        "error": {"code": "x", "message": "No such thing"},
    }
    async with home_assistant({"get_thing": [refusal]}) as client:
        with pytest.raises(HomeAssistantError, match="get_thing was refused: No such thing"):
            await client.call("get_thing")


async def test_a_closed_connection_is_an_error() -> None:
    """A Home Assistant that goes away does not leave the caller waiting."""
    async with home_assistant({"get_thing": []}) as client:
        with pytest.raises(HomeAssistantError, match="closed the connection"):
            await client.call("get_thing")


async def test_waiting_for_an_entry_follows_its_changes() -> None:
    """Other entries and other states do not count."""
    changes = [
        result(),
        event([{"type": None, "entry": {"entry_id": "e0", "state": "loaded"}}]),
        event([{"type": "updated", "entry": {"entry_id": "e1", "state": "setup_in_progress"}}]),
        event([{"type": "updated", "entry": ENTRY}]),
    ]
    answers = {"config_entries/subscribe": changes, "unsubscribe_events": [result()]}
    async with home_assistant(answers) as client:
        await client.wait_for_entry("e1", "loaded")
        with pytest.raises(HomeAssistantError, match="The entry is unknown and not loaded"):
            await client.wait_for_entry("e2", "loaded", limit=0.1)


def reloading(*states: str) -> dict[str, list[JsonObject] | Answer]:
    """Return the answers of a Home Assistant in which an entry comes to these states."""
    changes = [
        event([{"type": "updated", "entry": {"entry_id": "e1", "state": state}}])
        for state in states
    ]
    return {
        "config_entries/subscribe": [result(), *changes],
        "unsubscribe_events": [result()],
    }


async def test_a_reload_takes_from_the_begin_of_the_setup_until_loaded() -> None:
    """The state before the reload is no end of it."""
    states = ("loaded", "unload_in_progress", "not_loaded", "setup_in_progress", "loaded")
    async with home_assistant(reloading(*states), [{"require_restart": False}]) as client:
        started = time.perf_counter()
        seconds = await client.reload_entry("e1")
        assert 0 < seconds < time.perf_counter() - started


async def test_an_entry_that_does_not_load_again_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error tells the states it came to."""
    monkeypatch.setattr(client_module, "ANSWER_LIMIT", 0.1)
    states = ("loaded", "setup_in_progress", "setup_retry")
    async with home_assistant(reloading(*states), [{"require_restart": False}]) as client:
        with pytest.raises(HomeAssistantError, match="loaded, setup_in_progress, setup_retry"):
            await client.reload_entry("e1")


async def test_a_reload_that_is_refused_is_an_error() -> None:
    """Home Assistant's answer is told at once."""
    async with home_assistant(reloading("loaded")) as client:
        with pytest.raises(HomeAssistantError, match="reload was answered 500"):
            await client.reload_entry("e1")


async def test_waiting_for_a_state_follows_compressed_changes() -> None:
    """The first event has the whole state, later ones what changed."""
    changes = [
        result(),
        event({"a": {AGENT: {"s": "unavailable", "a": {}}}}),
        event({"c": {AGENT: {"+": {"a": {"friendly_name": "x"}}}}}),
        event({"c": {AGENT: {"+": {"s": "unknown"}}}}),
    ]
    answers = {"subscribe_entities": changes, "unsubscribe_events": [result()]}
    async with home_assistant(answers) as client:
        await client.wait_for_state(AGENT, lambda state: state == "unknown")
        with pytest.raises(HomeAssistantError, match=f"{AGENT} is unknown after"):
            await client.wait_for_state(AGENT, lambda state: state == "on", limit=0.1)


def added_integration() -> dict[str, list[JsonObject] | Answer]:
    """Return the answers of a Home Assistant that has the entry once the flow has run."""
    rows = [
        {"config_entry_id": "e1", "entity_id": "sensor.gateway"},
        {"config_entry_id": "e0", "entity_id": "conversation.other"},
        {"config_entry_id": "e1", "entity_id": AGENT},
    ]
    return {
        "config_entries/get": [result([])],
        "config_entries/subscribe": [result(), event([{"type": None, "entry": ENTRY}])],
        "unsubscribe_events": [result()],
        "config/entity_registry/list": [result(rows)],
    }


FORM = {"type": "form", "flow_id": "f", "step_id": "user", "errors": None}
CREATED = {"type": "create_entry", "flow_id": "f", "result": {"entry_id": "e1"}}


async def test_the_integration_is_added_through_its_flow() -> None:
    """The first agent of the new entry is the one to ask."""
    async with home_assistant(added_integration(), [FORM, CREATED]) as client:
        agent = await add_gateway(client, "ws://127.0.0.1:1", "secret")
    assert agent == Agent(entry_id="e1", entity_id=AGENT)


async def test_the_owner_of_the_gateway_is_told_what_to_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command stands alone on its line, to be copied."""
    monkeypatch.setattr(config_flow, "POLL_INTERVAL", 0.0)
    shown = {"command": "openclaw devices approve 1", "web": "http://127.0.0.1:1/"}
    waits = {"type": "progress", "flow_id": "f", "description_placeholders": shown}
    async with home_assistant(added_integration(), [FORM, waits, CREATED]) as client:
        await add_gateway(client, "ws://127.0.0.1:1", None)
    err = capsys.readouterr().err
    assert "    openclaw devices approve 1" in err.splitlines()
    assert "at http://127.0.0.1:1/," in err


async def test_an_integration_that_is_there_is_taken() -> None:
    """A home that is used again has its entry already."""
    answers = added_integration() | {"config_entries/get": [result([ENTRY | {"domain": DOMAIN}])]}
    async with home_assistant(answers) as client:
        agent = await add_gateway(client, "ws://127.0.0.1:1", "secret")
    assert agent == Agent(entry_id="e1", entity_id=AGENT)


async def test_a_pipeline_with_the_agent_is_taken_before_one_is_made() -> None:
    """Starting twice does not leave two pipelines."""
    known = {"pipelines": [{"id": "p1", "conversation_engine": AGENT}], "preferred_pipeline": "p0"}
    preferred: list[str] = []

    def prefer(command: JsonObject) -> list[JsonObject]:
        preferred.append(command["pipeline_id"])
        return [result()]

    answers: dict[str, list[JsonObject] | Answer] = {
        "assist_pipeline/pipeline/list": [result(known)],
        "assist_pipeline/pipeline/create": [result({"id": "p2"})],
        "assist_pipeline/pipeline/set_preferred": prefer,
    }
    async with home_assistant(answers) as client:
        assert await client.prefer_agent(AGENT, name="OpenClaw") == "p1"
        assert await client.prefer_agent("conversation.other", name="OpenClaw") == "p2"
    assert preferred == ["p1", "p2"]


async def test_events_of_a_type_are_followed() -> None:
    """Their data comes as they do; the subscription is made before anything else happens."""
    asked: list[object] = []

    def subscribe(command: JsonObject) -> list[JsonObject]:
        asked.append(command["event_type"])
        return [result(), *(event({"data": {"number": number}}) for number in (1, 2))]

    async with home_assistant({"subscribe_events": subscribe}) as client:
        events = await client.subscribe("something")
        assert asked == ["something"]
        assert [await anext(events), await anext(events)] == [{"number": 1}, {"number": 2}]
        await events.aclose()

"""Where what the gateway tells may go, and where it may not: secrets nowhere, words of agents to people only."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
import json
import operator
import secrets
from typing import Final

from aiohttp import web
from homeassistant.util import dt as dt_util
import pytest

from custom_components.openclaw_voice.const import CONF_DEVICE_TOKEN, CONF_PRIVATE_KEY
from demo import model_server as model_server_module
from demo.client import HomeAssistantClient, JsonObject
from demo.gateway import GatewayProcess
from demo.home_assistant import DOMAIN, HomeAssistantProcess
from demo.model_server import ModelServer
from demo.stage import Agent

from .administrator import Administrator
from .aloud import act, new_word
from .asking import GUARD, Turns, command
from .phone import Phone, phone
from .subentry_flow import eventually
from .test_requests import decide
from .test_telling import _change
from .told import Told, event_entities, told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LIMIT: Final = 60.0
"""Seconds until something that is asked for must be there. It takes less than one."""

CONF_TOKEN: Final = "token"


def plant() -> str:
    """Return a secret that was never used before."""
    return f"planted{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Everything that Home Assistant shows, keeps or hands over."""

    client: HomeAssistantClient
    home: HomeAssistantProcess
    agent: Agent
    since: datetime
    """When what is looked for had not been said yet."""

    async def shown(self) -> dict[str, str]:
        """Return what people and automations see now."""
        return {
            "states": _text(await self.client.rest("GET", "/api/states")),
            "persistent": _text(await self.client.call("persistent_notification/get")),
            "requests": _text(await act(self.client, "list_requests")),
        }

    async def kept(self) -> dict[str, str]:
        """Return what is found afterwards, and what people hand over in a report."""
        await self._wait_for_recorder()
        return {
            "history": _text(await self._history(await self._entities())),
            "logbook": _text(
                await self.client.call("logbook/get_events", start_time=self.since.isoformat())
            ),
            "diagnostics": await self._diagnostics(),
            "system health": await self._system_health(),
            "system log": _text(await self.client.call("system_log/list")),
            "log": self._files("*.log*"),
        }

    def database(self) -> str:
        """Return all the recorder has written."""
        return self._files("home-assistant_v2.db*")

    def _files(self, pattern: str) -> str:
        """Return what files of the configuration folder hold."""
        paths = [path for path in self.home.folder.glob(pattern) if path.is_file()]
        assert paths, pattern
        return "\n".join(path.read_bytes().decode(errors="replace") for path in paths)

    async def _wait_for_recorder(self) -> None:
        """Wait until all that has happened so far is recorded: it is, in order."""
        fence = f"sensor.{new_word().lower()}"
        await self.client.rest("POST", f"/api/states/{fence}", {"state": "there"})

        async def is_recorded() -> bool:
            return bool(await self._history([fence]))

        await eventually(is_recorded)

    async def _entities(self) -> list[str]:
        states = await self.client.rest("GET", "/api/states")
        return [state["entity_id"] for state in states]

    async def _history(self, entities: Sequence[str]) -> JsonObject:
        """Return the recorded states of entities, with their attributes."""
        found: JsonObject = await self.client.call(
            "history/history_during_period",
            start_time=self.since.isoformat(),
            entity_ids=entities,
            include_start_time_state=True,
            significant_changes_only=False,
            minimal_response=False,
            no_attributes=False,
        )
        return found

    async def _diagnostics(self) -> str:
        """Return those of the entry, and of every device of it."""
        path = f"/api/diagnostics/config_entry/{self.agent.entry_id}"
        devices = [
            device["id"]
            for device in await self.client.call("config/device_registry/list")
            if self.agent.entry_id in device["config_entries"]
        ]
        assert devices
        paths = [path, *(f"{path}/device/{device}" for device in devices)]
        return _text([await self.client.rest("GET", each) for each in paths])

    async def _system_health(self) -> str:
        """Return the page that people paste in reports."""
        told_so_far: list[JsonObject] = []
        request_id = await self.client._send("system_health/info", {})

        def is_last(message: JsonObject) -> bool:
            told_so_far.append(message["event"])
            return bool(message["event"]["type"] == "finish")

        assert await self.client._wait_for_event(request_id, is_last, limit=LIMIT)
        assert DOMAIN in told_so_far[0]["data"]
        return _text(told_so_far)


@pytest.fixture
def places(
    client: HomeAssistantClient, real_home_assistant: HomeAssistantProcess, agent: Agent
) -> Places:
    """Return where to look for what is said from now on."""
    return Places(
        client=client,
        home=real_home_assistant,
        agent=agent,
        since=dt_util.utcnow(),
    )


@pytest.fixture
async def my_phone(client: HomeAssistantClient, agent: Agent) -> AsyncGenerator[Phone]:
    """Return a phone to which, as into Home Assistant itself, the options of the gateway send what is told."""
    async with phone(client) as found:
        rows = await client.call("config/entity_registry/list")
        (entity_id,) = [
            row["entity_id"]
            for row in rows
            if row["device_id"] == found.device_id and row["entity_id"].startswith("notify.")
        ]
        before = await _change(
            client,
            agent,
            notify=[entity_id],
            persistent=True,
            kinds=["job_finished", "approval_requested"],
        )
        yield found
        await _change(client, agent, **before)


@pytest.fixture
def secret_of_model(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what the provider of the model repeats in its errors."""
    secret = plant()
    # Nothing that is taken for a bad key: the gateway would not ask the provider for a minute.
    text = f"Unsupported field near sk-{secret} and PASSWORD={secret}"
    error = {"message": text, "type": "invalid_request_error", "code": "unsupported_value"}

    def refuse(status: int) -> web.Response:
        return web.json_response({"error": error}, status=status)

    monkeypatch.setattr(model_server_module, "_error", refuse)
    return secret


async def test_what_lets_home_assistant_in_is_nowhere(
    places: Places, real_gateway: GatewayProcess, owner: Administrator, seen: Told
) -> None:
    """The secret of the gateway, and what the entry stores, also after it was set up anew."""
    word = new_word()
    ours = await _credentials(places)
    assert ours[CONF_TOKEN] == real_gateway.token
    async with told(places.home, "*") as bus:
        await places.client.reload_entry(places.agent.entry_id)
        await owner.run_job("Bins", f"MODEL:SAY {word}")
        await seen.of_kind("job_finished", word)

        found = await places.shown() | await places.kept()
    found |= {"events": _text(bus.events), "database": places.database()}

    # It is looked where things are.
    assert word in found["events"]
    assert word in found["database"]
    assert "openclaw_voice" in found["log"]
    assert " DEBUG " in found["log"]
    for place in ("diagnostics", "system health"):
        assert real_gateway.version in found[place], place
    for entity_id in await event_entities(places.client, places.agent):
        assert entity_id in found["history"], entity_id
    assert leaks(found, ours) == []


async def test_a_secret_in_a_command_is_nowhere(
    places: Places,
    guard: Agent,
    turns: Turns,
    my_phone: Phone,
    model_server: ModelServer,
) -> None:
    """While it waits for people, when it was denied, and where they are told of it."""
    planted = {"header": plant(), "variable": plant()}
    commands = {
        new_word(): f'curl -H "Authorization: Bearer sk-{planted["header"]}" http://127.0.0.1:9/',
        new_word(): f"PASSWORD={planted['variable']} true",
    }
    async with told(places.home, "*") as bus, told(places.home) as seen:
        begun = []
        for word, line in commands.items():
            # What is asked is not what has the secret.
            model_server.teach(word, command(f"echo {word}; {line}"))
            begun.append(await turns.begin(guard, word))
        asked = [await seen.of_kind("approval_requested", word) for word in commands]
        for word in commands:
            await my_phone.wait_for(partial(_has, word))
        found = await places.shown() | await places.kept()
        # Afterwards the model says in its own words what it was denied.
        found |= {"events": _text(bus.events), "database": places.database()}
        for event in asked:
            await decide(places.client, event["data"]["approval_id"], "deny")
        for turn in begun:
            await turns.answer(turn)
        ended = await places.shown() | await places.kept()
    found |= {f"{place} in the end": text for place, text in ended.items()}
    found |= {"notifications": _text(seen.events), "phone": _text(my_phone.shown)}

    assert all(event["agent"] == GUARD and "***" in event["data"]["command"] for event in asked)
    for place in ("persistent", "requests", "events", "phone"):
        assert all(word in found[place] for word in commands), place
    # What the agent itself says of it is its answer, and nothing else that is told.
    quoting = [event for event in bus.events if leaks({"event": _text(event)}, planted)]
    assert {event.get("id") for event in quoting} <= {*begun}
    assert leaks(found, planted) == []


async def test_a_secret_in_an_error_is_nowhere(
    places: Places,
    owner: Administrator,
    turns: Turns,
    seen: Told,
    secret_of_model: str,
) -> None:
    """Of a job, whose result could not be sent to where it was to go, and of the provider of a model."""
    planted = {"job": plant(), "model": secret_of_model}
    word = new_word()
    async with told(places.home, "*") as bus:
        ended = await owner._run(
            "Bins",
            "main",
            sessionTarget="isolated",
            payload={"kind": "agentTurn", "message": f"MODEL:SAY {word}"},
            delivery={
                "mode": "webhook",
                "to": f"http://127.0.0.1:9/hook?token=sk-{planted['job']}",
            },
        )
        await seen.of_kind("job_finished", word)
        failed = await owner.run_job("Broken", "MODEL:FAIL 400")
        turn = await turns.begin(places.agent, "MODEL:FAIL 400")
        answer = await turns.late.wait_for(lambda event: event["id"] == turn)
        found = await places.shown() | await places.kept()
    found |= {"events": _text(bus.events), "database": places.database()}

    assert planted["job"] in _text(ended)
    assert failed["status"] == "error"
    assert answer["status"] != "answered"
    assert leaks(found, planted) == []


async def test_what_an_agent_says_reaches_people_and_is_not_kept(
    places: Places, owner: Administrator, my_phone: Phone, seen: Told
) -> None:
    """A phone and Home Assistant itself, as the options have it; no log, report or history."""
    name, word = new_word(), new_word()

    await owner.run_job(name, f"MODEL:SAY {word}")

    await seen.of_kind("job_finished", word)
    pushed = await my_phone.wait_for(partial(_has, word))
    assert (pushed["title"], pushed["message"]) == (name, word)
    rows = await places.client.call("persistent_notification/get")
    assert [(row["title"], row["message"]) for row in rows if word in row["message"]] == [
        (name, word)
    ]
    found = await places.kept()
    assert name in found["logbook"]
    assert leaks(found, {"words": word}) == []


async def test_what_a_woken_agent_says_is_shown_by_its_own_entity(
    client: HomeAssistantClient, agent: Agent, guard: Agent, seen: Told
) -> None:
    """The agent that the action names, and no other one."""
    gateway_entity, entity = await event_entities(client, guard)
    _, other = await event_entities(client, agent)
    before = {each: await _state(client, each) for each in (gateway_entity, entity, other)}
    word = new_word()

    await client.rest(
        "POST",
        f"/api/services/{DOMAIN}/wake",
        {"agent": guard.entity_id, "text": f"MODEL:SAY {word}"},
    )

    event = await seen.of_kind("heartbeat", word)
    assert event["agent"] == GUARD, event
    for each in (gateway_entity, entity):
        await client.wait_for_state(each, partial(operator.ne, before[each]["state"]), limit=LIMIT)
        shown = (await _state(client, each))["attributes"]
        assert (shown["event_type"], shown["message"]) == ("heartbeat", word)
    assert await _state(client, other) == before[other]


def leaks(found: Mapping[str, str], secret: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return which secrets are where, by their names."""
    return [
        (name, place)
        for name, value in secret.items()
        for place, text in found.items()
        if value in text
    ]


async def _credentials(places: Places) -> dict[str, str]:
    """Return what the entry stores that lets somebody in, and who it is, as Home Assistant writes it."""
    stored = places.home.folder / ".storage" / "core.config_entries"

    def data() -> JsonObject:
        entries = json.loads(stored.read_text())["data"]["entries"]
        return next(
            (each["data"] for each in entries if each["entry_id"] == places.agent.entry_id), {}
        )

    async def is_stored() -> bool:
        return bool(data())

    await eventually(is_stored)
    names = (CONF_TOKEN, CONF_DEVICE_TOKEN, CONF_PRIVATE_KEY)
    found = {name: str(value) for name, value in data().items() if name in names}
    # On its own host the gateway gives no token of the device.
    assert found.keys() >= {CONF_TOKEN, CONF_PRIVATE_KEY}
    return found


def _has(word: str, pushed: JsonObject) -> bool:
    return word in pushed["message"]


async def _state(client: HomeAssistantClient, entity_id: str) -> JsonObject:
    state: JsonObject = await client.rest("GET", f"/api/states/{entity_id}")
    return state


def _text(value: object) -> str:
    """Return everything in it, as it is read."""
    return json.dumps(value, ensure_ascii=False)

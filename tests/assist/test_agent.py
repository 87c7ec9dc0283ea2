"""What an agent knows of the turns and sessions that go on with it."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openclaw_voice.assist import agent as agent_module
from custom_components.openclaw_voice.assist.agent import Agent, House, Stopped
from custom_components.openclaw_voice.assist.memory import Memory
from custom_components.openclaw_voice.assist.session_key import SessionKind, SessionScope
from custom_components.openclaw_voice.gateway.errors import GatewayError, NotConnectedError


class Owed:
    """An outbox in which nothing goes on."""

    def all(self) -> tuple[()]:
        """Nothing."""
        return ()


class Entry:
    """An entry whose agents were removed."""

    entry_id = "entry"
    subentries: dict[str, Any] = {}  # noqa: RUF012 - as in Home Assistant


class LiveTurn:
    """A turn that goes on."""

    def __init__(
        self, session_key: str, error: Exception | None = None, satellite_id: str | None = None
    ) -> None:
        """It is stopped and left without trouble, or not."""
        self.session_key = session_key
        self.satellite_id = satellite_id
        self.is_stopped = self.is_left = False
        self._error = error

    async def async_stop(self) -> None:
        """Note it."""
        await asyncio.sleep(0)
        if self._error:
            raise self._error
        self.is_stopped = True

    async def async_leave(self) -> None:
        """Note it."""
        await asyncio.sleep(0)
        if self._error:
            raise self._error
        self.is_left = True


@pytest.fixture
async def agent(hass: HomeAssistant) -> Agent:
    """Return an agent without a gateway."""
    memory = Memory(hass, "entry")
    await memory.async_load()

    async def explain(_: str, error: GatewayError) -> str:
        return error.category

    house = House(
        hass=hass,
        entry=Entry(),  # type: ignore[arg-type]  # as much of it as is needed
        client=None,  # type: ignore[arg-type]  # nothing is sent
        memory=memory,
        outbox=Owed(),  # type: ignore[arg-type]  # as much of it as is needed
        explain=explain,
        agents={},
    )
    return Agent(house, "subentry", "main")


def test_an_agent_that_was_removed_has_its_defaults(agent: Agent) -> None:
    """Its last turn may still go on."""
    assert agent.name == "main"
    assert agent.options.patience == 8.0


async def test_only_the_turns_of_a_session_are_stopped(agent: Agent) -> None:
    """Those of its side session belong to it."""
    scope = SessionScope(kind=SessionKind.SHARED, value="home")
    key = agent.key_of(scope)
    aside = agent.aside_of(scope, key)
    turns = [LiveTurn(key), LiveTurn(aside.key), LiveTurn("other")]
    with agent.living(turns[0]), agent.living(turns[1]), agent.living(turns[2]):
        assert agent.open_turns == tuple(turns)
        assert await agent.async_stop(key) is Stopped.ANSWER
    assert [turn.is_stopped for turn in turns] == [True, True, False]
    assert await agent.async_stop(key) is Stopped.NOTHING


async def test_what_is_heard_at_a_satellite_is_stopped_there(agent: Agent) -> None:
    """Where every conversation is a session of its own, nobody knows its key."""
    turns = [LiveTurn("a", satellite_id="x"), LiveTurn("b", satellite_id="y")]
    with agent.living(turns[0]), agent.living(turns[1]):
        assert await agent.async_stop("c", satellite_id="y") is Stopped.ANSWER
    assert [turn.is_stopped for turn in turns] == [False, True]


async def test_a_turn_that_cannot_be_stopped_does_not_save_the_others(agent: Agent) -> None:
    """The error is told all the same."""
    turns = [LiveTurn("a", NotConnectedError("x")), LiveTurn("b")]
    with (
        agent.living(turns[0]),
        agent.living(turns[1]),
        pytest.raises(NotConnectedError),
    ):
        await agent.async_stop()
    assert turns[1].is_stopped


async def test_a_turn_that_cannot_be_left_does_not_hold_up_the_others(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours is told in the log, without what was said."""
    turns = [LiveTurn("a", ValueError("secret")), LiveTurn("b")]
    with agent.living(turns[0]), agent.living(turns[1]):
        await agent.async_leave()
    assert turns[1].is_left
    messages = [record.getMessage() for record in caplog.records]
    assert "A turn was not handed over: ValueError" in messages
    assert "secret" not in caplog.text


def test_side_sessions_are_remembered_within_bounds(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those used longest ago are forgotten."""
    monkeypatch.setattr(agent_module, "MAX_REMEMBERED", 2)
    for name in ("a", "b", "c"):
        agent.aside_of(SessionScope(kind=SessionKind.SHARED, value=name), name)
    assert agent.aside_before("a") is None
    assert agent.aside_before("c") is not None


def test_a_new_conversation_forgets_what_was_said_aside(agent: Agent) -> None:
    """It is another session."""
    scope = SessionScope(kind=SessionKind.SHARED, value="home")
    agent.aside_of(scope, agent.key_of(scope))
    old, new = agent.new_conversation(scope)
    assert agent.key_of(scope) == new != old
    assert agent.aside_before(old) is None

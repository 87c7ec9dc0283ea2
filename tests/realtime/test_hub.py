"""The live sessions."""

import asyncio
from unittest.mock import patch

import pytest

from custom_components.openclaw_voice.realtime import hub as hub_module
from custom_components.openclaw_voice.realtime.hub import (
    MAX_CLIENTS,
    MAX_SOCKETS,
    MAX_STRANGERS,
    Hub,
    HubEvent,
    HubEventKind,
    SessionInfo,
    TooManyError,
)
from custom_components.openclaw_voice.realtime.protocol import MAX_SESSIONS, MAX_STANDBY
from custom_components.openclaw_voice.realtime.session_state import SessionState
from custom_components.openclaw_voice.realtime.summary import SessionSummary


class FakeSession:
    """A session that ends when it is told to."""

    def __init__(
        self,
        hub: Hub[FakeSession],
        name: str,
        *,
        satellite: str | None = None,
        entry: str = "e",
        is_standby: bool = False,
    ) -> None:
        """Know whose it is."""
        self.info = SessionInfo(
            session_id=name,
            entry_id=entry,
            agent_id="main",
            agent_name="Main",
            satellite_id=satellite,
        )
        self.state = SessionState.IDLE
        self.reasons: list[str] = []
        self.obeys = True
        self.is_standby = is_standby
        self._hub = hub

    def end(self, reason: str) -> None:
        """Go at once, or not at all."""
        self.reasons.append(reason)
        if self.obeys:
            summary = SessionSummary(
                session_id=self.info.session_id, reason=reason, seconds=1, turns=0
            )
            self._hub.remove(self, summary)


@pytest.fixture
def hub() -> Hub[FakeSession]:
    """Return a hub without sessions."""
    return Hub(replaced="replaced")


def test_a_satellite_has_one_session(hub: Hub[FakeSession]) -> None:
    """A newer one replaces it; those without a name are let alone."""
    first, second = (FakeSession(hub, name, satellite="kitchen") for name in "ab")
    nameless = [FakeSession(hub, name) for name in "cd"]
    for session in (first, *nameless, second):
        hub.add(session)
    assert first.reasons == ["replaced"]
    assert second.reasons == []
    assert hub.sessions == (*nameless, second)
    assert hub.session_of("kitchen") is second
    assert hub.session_of("bath") is None
    assert hub.total == 4


def test_the_newest_session_is_the_one_of_a_satellite(hub: Hub[FakeSession]) -> None:
    """Also while the older one still ends."""
    first, second = (FakeSession(hub, name, satellite="kitchen") for name in "ab")
    first.obeys = False
    hub.add(first)
    hub.add(second)
    assert hub.session_of("kitchen") is second
    assert len(hub.sessions) == 2


def test_there_are_never_too_many_sessions(hub: Hub[FakeSession]) -> None:
    """But one may take the place of its own older one."""
    for number in range(MAX_SESSIONS):
        hub.add(FakeSession(hub, str(number), satellite=str(number)))
    with pytest.raises(TooManyError):
        hub.add(FakeSession(hub, "more", satellite="more"))
    hub.add(FakeSession(hub, "again", satellite="3"))
    assert len(hub.sessions) == MAX_SESSIONS


def test_standby_is_no_conversation(hub: Hub[FakeSession]) -> None:
    """It has a bound of its own, and does not count; a conversation takes its place."""
    for number in range(MAX_STANDBY):
        hub.add(FakeSession(hub, str(number), satellite=str(number), is_standby=True))
    with pytest.raises(TooManyError):
        hub.add(FakeSession(hub, "more", satellite="more", is_standby=True))
    assert (hub.total, hub.conversations) == (0, ())
    waiting = hub.session_of("3")
    talking = FakeSession(hub, "talk", satellite="3")
    hub.add(talking)
    assert waiting is not None
    assert waiting.reasons == ["replaced"]
    assert (hub.total, hub.conversations) == (1, (talking,))
    hub.add(FakeSession(hub, "again", satellite="3", is_standby=True))
    assert talking.reasons == ["replaced"]


def test_there_are_never_too_many_sockets(hub: Hub[FakeSession]) -> None:
    """Those that say nothing count, too."""
    for _ in range(MAX_SOCKETS):
        hub.open_socket()
    with pytest.raises(TooManyError):
        hub.open_socket()
    hub.close_socket()
    hub.open_socket()


def test_strangers_shut_nobody_out(hub: Hub[FakeSession]) -> None:
    """There are only so many of them; one who has said who they are is none."""
    for _ in range(MAX_STRANGERS):
        hub.open_socket(is_stranger=True)
    with pytest.raises(TooManyError):
        hub.open_socket(is_stranger=True)
    hub.open_socket()
    hub.meet()
    hub.open_socket(is_stranger=True)
    hub.close_socket(is_stranger=True)
    hub.open_socket(is_stranger=True)


def test_listeners_are_told_what_happens(hub: Hub[FakeSession]) -> None:
    """In order; nothing of sessions that were never taken in, or are gone."""
    events: list[HubEvent[FakeSession]] = []
    unsubscribe = hub.subscribe(events.append)
    session = FakeSession(hub, "a")
    hub.changed(session)
    hub.add(session)
    hub.changed(session)
    session.end("idle")
    session.end("idle")
    unsubscribe()
    hub.add(FakeSession(hub, "b"))
    assert [event.kind for event in events] == [*HubEventKind]
    assert events[-1].summary is not None
    assert events[-1].summary.reason == "idle"
    assert {event.session for event in events} == {session}


def test_texts_of_a_client_are_limited(hub: Hub[FakeSession]) -> None:
    """Thirty a minute, each client for itself, over its reconnections."""
    assert [hub.take_text("one", 100.0) for _ in range(31)] == [0.0] * 30 + [60.0]
    assert hub.take_text("two", 100.0) == 0
    assert hub.take_text("one", 160.0) == 0


def test_sessions_of_a_client_are_limited(hub: Hub[FakeSession]) -> None:
    """The same, whatever it has said."""
    hub.take_text("one", 100.0)
    assert [hub.take_start("one", 100.0) for _ in range(31)] == [0.0] * 30 + [60.0]


def test_not_all_clients_are_remembered(hub: Hub[FakeSession]) -> None:
    """The one that was quiet longest is forgotten."""
    for _ in range(30):
        hub.take_text("one", 0.0)
    for number in range(MAX_CLIENTS):
        hub.take_text(str(number), 0.0)
    assert hub.take_text("one", 0.0) == 0


async def test_all_sessions_of_an_entry_end(hub: Hub[FakeSession]) -> None:
    """Those of other gateways go on."""
    mine, other = FakeSession(hub, "a", entry="mine"), FakeSession(hub, "b", entry="other")
    hub.add(mine)
    hub.add(other)
    await hub.close("unloaded", entry_id="mine")
    assert [*hub.sessions] == [other]
    await hub.close("stopped")
    assert len(hub.sessions) == 0
    assert (mine.reasons, other.reasons) == (["unloaded"], ["stopped"])


async def test_the_end_of_sessions_is_waited_for(hub: Hub[FakeSession]) -> None:
    """Others may change meanwhile."""
    session, other = FakeSession(hub, "a", entry="mine"), FakeSession(hub, "b")
    session.obeys = False
    hub.add(session)
    hub.add(other)
    closing = asyncio.create_task(hub.close("unloaded", entry_id="mine"))
    await asyncio.sleep(0)
    hub.changed(other)
    assert not closing.done()
    session.obeys = True
    session.end("later")
    await closing


async def test_a_session_that_does_not_end_is_waited_for_within_a_limit(
    hub: Hub[FakeSession],
) -> None:
    """Home Assistant must be able to stop."""
    session = FakeSession(hub, "a")
    session.obeys = False
    hub.add(session)
    with patch.object(hub_module, "CLOSE_LIMIT", 0.01):
        await hub.close("stopped")
    assert hub.sessions == (session,)

"""An approval is asked for aloud, and only a clear answer decides it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast, override

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.assist_pipeline import (
    PipelineEvent,
    PipelineEventType,
    async_get_pipeline,
    async_update_pipeline,
)
from homeassistant.components.assist_satellite import (
    AssistSatelliteAnnouncement,
    SatelliteBusyError,
)
from homeassistant.components.assist_satellite.const import DATA_COMPONENT
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.openclaw_voice.assist.consent import can_consent, consent
from custom_components.openclaw_voice.assist.phrases import async_phrases, async_texts
from custom_components.openclaw_voice.assist.speech import spoken
from custom_components.openclaw_voice.gateway.approvals import Approval, ApprovalKind
from custom_components.openclaw_voice.gateway.errors import (
    ApprovalGoneError,
    GatewayError,
    NotConnectedError,
)
from custom_components.openclaw_voice.gateway.questions import AgentQuestion
from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from custom_components.openclaw_voice.outbox.open_requests import OpenRequests
from custom_components.openclaw_voice.outbox.spoken_approval import MAX_SAID, SpokenApproval
from tests.fakes.frames import event
from tests.fakes.gateway import Expect, ScriptedGateway

from .satellite import Satellite, add_voice
from .support import WAIT_LIMIT, add_entry, state_change

pytestmark = pytest.mark.usefixtures("home")

KITCHEN = "assist_satellite.kitchen"
TEXT = "Molty asks for permission: rm."
YES_OR_NO = "Do you allow it, this once? Please say yes or no."
ONLY_NO = (
    "That is not all of it, so nobody should allow it unseen. "
    "Say no to deny it, or decide in Home Assistant."
)
ALLOWED = "Okay, it is allowed this once."
DENIED = "Okay, it is denied."
OPEN = "I will leave it open. You can still decide in Home Assistant."
OVER = "That has already been decided."
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
APPROVAL = Approval(
    id="a-1",
    kind=ApprovalKind.EXEC,
    title="rm",
    command="rm -r build",
    decisions=("allow-once", "deny"),
    created=NOON,
    expires=NOON + timedelta(minutes=30),
)
QUESTION = AgentQuestion(id="q-1", parts=(), created=NOON, expires=NOON)


async def nothing() -> None:
    """Have nothing happen."""


class Listener(Satellite):
    """A satellite at which somebody may say something once they were asked."""

    def __init__(self) -> None:
        """Be in the kitchen, where nobody is yet."""
        super().__init__("kitchen", can_listen=True)
        self.answer: str | None = None
        """What is said; None: nobody is there."""

        self.meanwhile: Callable[[], Awaitable[None]] = nothing
        """Happens before somebody answers."""

        self.was_asked = asyncio.Event()

    @override
    async def async_start_conversation(
        self, start_announcement: AssistSatelliteAnnouncement
    ) -> None:
        """Say the question, and listen."""
        await super().async_start_conversation(start_announcement)
        self.said.clear()
        await self.meanwhile()
        self._internal_on_pipeline_event(PipelineEvent(PipelineEventType.STT_START))
        if self.answer is not None:
            heard = {"stt_output": {"text": self.answer}}
            self._internal_on_pipeline_event(PipelineEvent(PipelineEventType.STT_END, heard))
        self._internal_on_pipeline_event(PipelineEvent(PipelineEventType.RUN_END))
        self.was_asked.set()


class Requests:
    """What waits for people, without a gateway."""

    def __init__(self) -> None:
        """One approval waits."""
        self.waiting: dict[str, Approval | AgentQuestion] = {"a-1": APPROVAL, "q-1": QUESTION}
        self.decided: list[tuple[str, str]] = []
        self.error: GatewayError | None = None

    def get(self, request_id: str) -> Approval | AgentQuestion | None:
        """Return what waits."""
        return self.waiting.get(request_id)

    async def async_resolve(self, approval_id: str, decision: str) -> None:
        """Take a decision, unless there is an error."""
        if self.error is not None:
            raise self.error
        self.decided.append((approval_id, decision))


def told(approval_id: str = "a-1") -> Notification:
    """Return what tells of an approval."""
    return Notification(
        id=f"approval:{approval_id}",
        kind=NotificationKind.APPROVAL_REQUESTED,
        time=NOON,
        data={"approval_id": approval_id},
    )


class Home:
    """A home in which somebody can be asked."""

    def __init__(self, hass: HomeAssistant, satellite: Listener) -> None:
        """An approval waits."""
        self.hass, self.satellite = hass, satellite
        self.requests = Requests()
        self.spoken = SpokenApproval(
            hass,
            cast("OpenRequests", self.requests),
            speak=self._speak,
            texts=lambda language: async_texts(hass, language, "common"),
            explain=self._explain,
            can_understand=can_consent,
            understand=consent,
        )

    async def _speak(self, text: str, language: str) -> str:
        return spoken(text, (await async_phrases(self.hass, language)).words)

    async def _explain(self, language: str, error: GatewayError) -> str:
        return f"({language}, {error.category})"

    async def ask(self, answer: str | None = None) -> str:
        """Ask, and answer; return the question."""
        self.satellite.answer = answer
        ask = self.spoken.ask_of(told())
        assert ask is not None
        await ask(KITCHEN, TEXT)
        return self.satellite.asked[-1] if self.satellite.asked else ""


@pytest.fixture
async def kitchen(hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Return a satellite that can listen."""
    await add_voice(hass, tmp_path, monkeypatch)
    pipeline = async_get_pipeline(hass)
    await async_update_pipeline(hass, pipeline, conversation_engine="conversation.main")
    satellite = Listener()
    await hass.data[DATA_COMPONENT].async_add_entities([satellite])
    return satellite


@pytest.fixture
def house(hass: HomeAssistant, kitchen: Listener) -> Home:
    """Return a home with that satellite."""
    return Home(hass, kitchen)


@pytest.mark.parametrize(
    ("answer", "decision", "confirmed"),
    [
        ("Yes, please.", "allow-once", ALLOWED),
        ("No!", "deny", DENIED),
        ("Yes, but later", None, OPEN),
        ("", None, OPEN),
    ],
)
async def test_only_a_clear_answer_decides(
    house: Home, answer: str, decision: str | None, confirmed: str
) -> None:
    """What became of it is confirmed."""
    assert await house.ask(answer) == f"{TEXT} rm -r build. {YES_OR_NO}"
    assert house.requests.decided == ([("a-1", decision)] if decision else [])
    assert house.satellite.said == [confirmed]


async def test_nobody_answers(house: Home) -> None:
    """Then it is open, and nothing more is said to nobody."""
    await house.ask(None)
    assert len(house.satellite.asked) == 1
    assert house.requests.decided == []
    assert house.satellite.said == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": "x" * (MAX_SAID + 1)}, "x" * (MAX_SAID - 1) + "…"),
        ({"is_cut": True}, "rm -r build."),
        ({"command": "echo one; rm -r build"}, "echo one; rm -r build."),
        ({"command": "curl https://example.com/a"}, "curl a link."),
        ({"command": ""}, ""),
        ({"command": "🦞"}, ""),
        ({"decisions": ("deny",)}, "rm -r build."),
    ],
    ids=["long", "cut", "sign", "link", "nothing", "picture", "not offered"],
)
async def test_nobody_allows_what_they_have_not_heard(
    house: Home, fields: dict[str, object], said: str
) -> None:
    """It can be denied; a yes leaves it open."""
    house.requests.waiting["a-1"] = replace(APPROVAL, **fields)  # type: ignore[arg-type]
    question = await house.ask("Yes")
    assert question == f"{TEXT} {said} {ONLY_NO}"
    assert house.satellite.said == [OPEN]
    assert house.requests.decided == []
    house.satellite.said.clear()
    await house.ask("No")
    assert house.requests.decided == [("a-1", "deny")]


async def test_a_plugin_says_what_it_wants_in_words(house: Home) -> None:
    """Signs do not matter in a sentence; a warning is said, too."""
    house.requests.waiting["a-1"] = replace(
        APPROVAL,
        kind=ApprovalKind.PLUGIN,
        command="Open the (front) door?",
        warning="It is **night**",
    )
    question = await house.ask("Yes")
    assert question == f"{TEXT} Open the (front) door? It is night. {YES_OR_NO}"
    assert house.requests.decided == [("a-1", "allow-once")]


async def test_it_is_asked_in_the_language_of_the_system(house: Home, hass: HomeAssistant) -> None:
    """And only understood in that one."""
    hass.config.language = "de"
    assert (await house.ask("Yes")).endswith("Bitte antworte mit Ja oder Nein.")
    assert house.requests.decided == []
    await house.ask("Ja")
    assert house.requests.decided == [("a-1", "allow-once")]
    assert house.satellite.said == ["Gut, dieses Mal ist es erlaubt."]


async def test_some_approvals_are_not_asked_for(house: Home, hass: HomeAssistant) -> None:
    """Those that are decided, that cannot be denied, and all in a language nobody understands."""
    assert house.spoken.ask_of(told("a-2")) is None
    assert house.spoken.ask_of(told("q-1")) is None
    house.requests.waiting["a-2"] = replace(APPROVAL, id="a-2", decisions=("allow-once",))
    assert house.spoken.ask_of(told("a-2")) is None
    hass.config.language = "ja"
    assert house.spoken.ask_of(told()) is None


async def test_nobody_is_asked_what_was_decided_before(house: Home) -> None:
    """The satellite was busy for a while."""
    ask = house.spoken.ask_of(told())
    assert ask is not None
    house.requests.waiting.clear()
    await ask(KITCHEN, TEXT)
    assert house.satellite.begun.empty()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(ApprovalGoneError("gone"), OVER), (NotConnectedError("away"), "(en, not_connected)")],
)
async def test_why_an_answer_does_not_count_is_said(
    house: Home, error: GatewayError, sentence: str
) -> None:
    """Somebody was faster, or the gateway is away."""
    house.requests.error = error
    await house.ask("Yes")
    assert house.satellite.said == [sentence]


async def test_a_satellite_that_cannot_ask_announces(house: Home) -> None:
    """That is for the queue to do; nothing was heard yet."""
    house.satellite.failures = [SatelliteBusyError()]
    with pytest.raises(SatelliteBusyError):
        await house.ask("Yes")
    assert house.requests.decided == []


async def test_what_cannot_be_confirmed_is_decided(house: Home) -> None:
    """The satellite fails just then."""

    async def break_down() -> None:
        house.satellite.failures = [ValueError("broken")]

    house.satellite.meanwhile = break_down
    await house.ask("Yes")
    assert house.requests.decided == [("a-1", "allow-once")]
    assert house.satellite.said == []


async def test_from_the_gateway_to_the_kitchen_and_back(
    hass: HomeAssistant,
    friendly: ScriptedGateway,
    kitchen: Listener,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Where the options want it, and as soon as the satellite has been idle."""
    entry = await add_entry(hass, friendly)
    options = {"satellites": [KITCHEN], "asks_approvals": True}
    hass.config_entries.async_update_entry(entry, options=options)
    friendly.script(Expect("exec.approval.resolve", reply={"ok": True}))
    kitchen.answer = "Yes"
    now = int(dt_util.utcnow().timestamp() * 1000)
    request = {
        "command": "rm -r build",
        "allowedDecisions": ["allow-once", "deny"],
        "resolvedPath": "/usr/bin/rm",
        "agentId": "main",
    }
    asked = {"id": "a-1", "request": request, "createdAtMs": now, "expiresAtMs": now + 1_800_000}

    def waits(hass: HomeAssistant) -> bool:
        return entry.runtime_data.requests.get("a-1") is not None

    async with state_change(hass, waits):
        await friendly.emit(event("exec.approval.requested", asked))
    await hass.async_block_till_done()
    freezer.tick(timedelta(seconds=4))
    async_fire_time_changed(hass)
    async with asyncio.timeout(WAIT_LIMIT):
        await kitchen.was_asked.wait()
    resolve = await friendly.wait_for_request("exec.approval.resolve")
    assert resolve.params == {"id": "a-1", "decision": "allow-once"}
    assert kitchen.asked == [f"main asks for permission: rm. rm -r build. {YES_OR_NO}"]

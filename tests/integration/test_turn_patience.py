"""A long run never fails: its turn ends with a phrase, and its answer comes later."""

import asyncio
from collections.abc import AsyncIterable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent
import pytest

from custom_components.openclaw_voice.assist import agent_turn, options, turn
from custom_components.openclaw_voice.gateway.run_items import RunItem
from custom_components.openclaw_voice.outbox.answer_store import AnswerStore
from custom_components.openclaw_voice.outbox.late_answer import LateAnswer, LateStatus
from custom_components.openclaw_voice.outbox.late_answers import Outbox, Run
from tests.fakes.frames import (
    accepted,
    answered,
    ended,
    failed,
    response_failed,
    response_ok,
    said,
    started,
    tool_started,
)
from tests.fakes.gateway import Expect, ScriptedGateway, wait_for

from .support import add_entry, ask, speech_of
from .turns import IMPATIENT, KITCHEN, late_answer

pytestmark = pytest.mark.usefixtures("home", "impatience")

HOLDING = "This is taking a while. I will tell you as soon as I know."


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let agents have less patience than people may set."""
    monkeypatch.setattr(options, "PATIENCE_BOUNDS", (0.0, 240.0))


async def test_a_spoken_turn_without_a_word_is_answered_later(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """It ends with a holding phrase and does not listen; the run goes on."""
    entry = await add_entry(hass, friendly, options=IMPATIENT)
    go_on = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), wait_for(go_on), said("It is done."), ended(), response_ok()],
        )
    )
    result = await ask(hass, "Clean up?", satellite_id=KITCHEN)
    assert speech_of(result) == HOLDING
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert not result.continue_conversation
    [answer] = entry.runtime_data.outbox.all()
    assert answer.status is LateStatus.RUNNING
    assert (answer.question, answer.satellite_id, answer.language) == ("Clean up?", KITCHEN, "en")
    async with late_answer(hass) as data:
        go_on.set()
    assert data["text"] == "It is done."
    assert data["id"] == friendly.received("agent")[0].params["idempotencyKey"]
    assert not friendly.received("chat.abort")


async def test_what_was_said_before_is_not_owed_any_more(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The tool that goes on is named, and only the rest of the answer is told later."""
    entry = await add_entry(hass, friendly, options=IMPATIENT)
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), said("Let me *look*."), tool_started("web_search", {})],
        )
    )
    result = await ask(hass, satellite_id=KITCHEN)
    assert speech_of(result) == (
        "Let me look. This is taking a while, I am still busy with web search. "
        "I will tell you as soon as I know."
    )
    [answer] = entry.runtime_data.outbox.all()
    assert answer.said == "Let me *look*."


async def test_a_task_that_fails_is_told_in_a_sentence(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """In the language of whoever asked."""
    await add_entry(hass, friendly, options=IMPATIENT)
    go_on = asyncio.Event()
    friendly.script(
        Expect(
            "agent",
            reply=accepted(),
            emit=[started(), wait_for(go_on), failed(), response_failed()],
        )
    )
    await ask(hass, satellite_id=KITCHEN, language="de")
    async with late_answer(hass) as data:
        go_on.set()
    assert (data["status"], data["error"]) == ("failed", "run_failed")
    assert data["text"] == "Der Agent konnte seine Antwort nicht zu Ende bringen."


async def test_a_connection_that_is_lost_for_longer_costs_no_answer(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The turn ends, and the rest of the same run is told when it is found again."""
    entry = await add_entry(hass, friendly, options=IMPATIENT)
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), said("One, ")]),
        Expect("agent", emit=[said("two."), ended(), response_ok()]),
    )
    asking = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    await friendly.stop()
    result = await asking
    assert speech_of(result) == f"One, {HOLDING}"
    async with late_answer(hass) as data:
        await friendly.start()
    assert (data["status"], data["text"]) == ("answered", "One, two.")
    [answer] = entry.runtime_data.outbox.all()
    assert answer.run_id == answer.id == friendly.received("agent")[1].params["idempotencyKey"]


async def test_own_holding_phrases_take_turns(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """The same words every time would be tiring."""
    phrases = ["One moment.", "Wait for it."]
    entry = await add_entry(
        hass, friendly, options={"main": {"patience": 0.05, "holding_phrases": phrases}}
    )
    friendly.script(*[Expect("agent", reply=accepted(), emit=[started()]) for _ in range(3)])
    said_by_us = [
        speech_of(await ask(hass, satellite_id=f"assist_satellite.room_{number}"))
        for number in range(3)
    ]
    assert said_by_us == ["One moment.", "Wait for it.", "One moment."]
    assert len(entry.runtime_data.outbox.all()) == 3


async def test_a_turn_that_is_read_is_waited_for(
    hass: HomeAssistant, friendly: ScriptedGateway
) -> None:
    """Whoever reads sees that something goes on."""
    await add_entry(hass, friendly, options=IMPATIENT)
    go_on = asyncio.Event()
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), wait_for(go_on), answered("Noon.")[1:]])
    )
    asking = hass.async_create_background_task(ask(hass), "turn")
    await friendly.wait_for_request("agent")
    hass.loop.call_later(0.3, go_on.set)
    assert speech_of(await asking) == "Noon."


async def test_an_unloaded_entry_keeps_its_promises(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_storage: dict[str, Any]
) -> None:
    """A spoken turn is handed over, its run goes on; a turn that is read is stopped."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=[started()]))
    asking = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    request = await friendly.wait_for_request("agent")
    await friendly.played()
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert speech_of(await asking) == HOLDING
    assert not friendly.received("chat.abort")
    [stored] = hass_storage[f"openclaw_voice.late_answers.{entry.entry_id}"]["data"]["answers"]
    assert stored["id"] == request.params["idempotencyKey"]
    assert stored["status"] == "running"


async def test_home_assistant_that_stops_keeps_its_promises(
    hass: HomeAssistant, friendly: ScriptedGateway, hass_storage: dict[str, Any]
) -> None:
    """Before it cancels what goes on."""
    entry = await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=[started()]))
    asking = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    await friendly.wait_for_request("agent")
    await friendly.played()
    await hass.async_stop(force=True)
    assert speech_of(await asking) == HOLDING
    assert not friendly.received("chat.abort")
    [stored] = hass_storage[f"openclaw_voice.late_answers.{entry.entry_id}"]["data"]["answers"]
    assert stored["status"] == "running"


async def test_an_answer_that_cannot_be_kept_is_said_in_its_turn(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs patience, not the answer."""

    async def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Outbox, "async_hand_over", fail)
    await add_entry(hass, friendly, options=IMPATIENT)
    go_on = asyncio.Event()
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), wait_for(go_on), answered("Noon.")[1:]])
    )
    hass.loop.call_later(0.3, go_on.set)
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == "Noon."


async def test_a_promise_that_was_made_is_not_made_twice(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full only after the run is followed: the turn ends all the same."""
    hand_over = Outbox.async_hand_over

    async def fail_late(
        self: Outbox, run: Run, items: AsyncIterable[RunItem], answer: LateAnswer
    ) -> None:
        await hand_over(self, run, items, answer)
        raise OSError("disk full")

    monkeypatch.setattr(Outbox, "async_hand_over", fail_late)
    entry = await add_entry(hass, friendly, options=IMPATIENT)
    friendly.script(Expect("agent", reply=accepted(), emit=[started()]))
    assert speech_of(await ask(hass, satellite_id=KITCHEN)) == HOLDING
    assert len(entry.runtime_data.outbox.all()) == 1


async def test_a_promise_that_was_made_is_kept_when_its_turn_is_cancelled(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow, and the satellite is triggered again meanwhile."""
    is_storing = asyncio.Event()

    async def store_for_ever(_: AnswerStore) -> None:
        is_storing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(turn, "LEAVING_LIMIT", 0.05)
    entry = await add_entry(hass, friendly, options=IMPATIENT)
    go_on = asyncio.Event()
    friendly.script(
        Expect("agent", reply=accepted(), emit=[started(), wait_for(go_on), answered("Noon.")[1:]])
    )
    with monkeypatch.context() as patch:
        patch.setattr(AnswerStore, "async_save", store_for_ever)
        asking = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
        await is_storing.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    async with late_answer(hass) as data:
        go_on.set()
    assert (data["status"], data["text"]) == ("answered", "Noon.")
    assert not friendly.received("chat.abort")
    await entry.runtime_data.async_stop()


async def test_a_fault_after_the_answer_does_not_take_it_away(
    hass: HomeAssistant, friendly: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said already; only what follows from it is lost."""

    def fail(*_: object, **__: object) -> bool:
        raise ValueError("x")

    monkeypatch.setattr(agent_turn, "listens_again", fail)
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Noon?")))
    result = await ask(hass, satellite_id=KITCHEN)
    assert speech_of(result) == "Noon?"
    assert not result.continue_conversation


async def test_a_short_outage_is_waited_for(hass: HomeAssistant, friendly: ScriptedGateway) -> None:
    """Nobody hears an apology when the gateway is back in some seconds."""
    await add_entry(hass, friendly)
    friendly.script(Expect("agent", reply=accepted(), emit=answered("Noon.")))
    await friendly.stop()
    await hass.async_block_till_done()
    asking = hass.async_create_background_task(ask(hass, satellite_id=KITCHEN), "turn")
    hass.loop.call_later(0.2, hass.async_create_background_task, friendly.start(), "start")
    assert speech_of(await asking) == "Noon."

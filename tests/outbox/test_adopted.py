"""What the agent works on for a voice session becomes a late answer."""

from collections.abc import AsyncIterable
from typing import cast

import pytest

from custom_components.openclaw_voice.gateway.run_items import RunItem
from custom_components.openclaw_voice.outbox.adopted import Adopted, async_adopt
from custom_components.openclaw_voice.outbox.late_answer import LateAnswer
from custom_components.openclaw_voice.outbox.late_answers import Outbox
from custom_components.openclaw_voice.outbox.watch import Run

from .runs import HandRun


class LeftRun(HandRun):
    """A run that somebody has left."""

    session_key = "agent:main:homeassistant:home:satellite:kitchen"
    question = "What is the meaning of life?"


class HandOutbox:
    """An outbox whose disk may be full."""

    def __init__(self, *, stores: bool = True, keeps: bool = True) -> None:
        """It stores what it is given, or at least keeps it, or neither."""
        self.answer: LateAnswer | None = None
        self._stores = stores
        self._keeps = keeps

    def get(self, answer_id: str) -> LateAnswer | None:
        """Return what is kept."""
        return self.answer if self.answer is not None and self.answer.id == answer_id else None

    async def async_hand_over(
        self, run: Run, items: AsyncIterable[RunItem], answer: LateAnswer
    ) -> None:
        """Promise an answer."""
        assert id(run) == id(items)
        if self._keeps:
            self.answer = answer
        if not self._stores:
            raise OSError("disk full")


async def adopt(outbox: HandOutbox, run: Adopted) -> None:
    """Have the answer of a run promised."""
    await async_adopt(
        cast("Outbox", outbox),
        run,
        agent_id="main",
        subentry_id="subentry-main",
        language="en",
        satellite_id="assist_satellite.kitchen",
    )


async def test_a_promise() -> None:
    """It has what is needed to find the run again, and to say its answer."""
    outbox = HandOutbox()

    await adopt(outbox, LeftRun())

    answer = outbox.answer
    assert answer is not None
    assert (answer.id, answer.run_id, answer.session_key) == ("run-1", "run-1", LeftRun.session_key)
    assert (answer.is_chat_send, answer.is_consult, answer.is_announced) == (True, True, True)
    assert (answer.question, answer.language) == (LeftRun.question, "en")
    assert (answer.agent_id, answer.subentry_id) == ("main", "subentry-main")
    assert answer.satellite_id == "assist_satellite.kitchen"
    assert LateAnswer.from_data(answer.as_data()) == answer


async def test_a_promise_that_was_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    """It is kept as long as Home Assistant runs."""
    await adopt(HandOutbox(stores=False), LeftRun())

    assert "A late answer was not stored: OSError" in caplog.text


async def test_a_promise_that_was_not_even_kept() -> None:
    """Then it is none."""
    with pytest.raises(OSError, match="disk full"):
        await adopt(HandOutbox(stores=False, keeps=False), LeftRun())

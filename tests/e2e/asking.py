"""Turns in which an agent asks people something before it goes on."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
import json
import re
from typing import Final
import uuid

import pytest

from demo.client import HomeAssistantClient, HomeAssistantError, JsonObject
from demo.home_assistant import DOMAIN
from demo.process import CHECKOUT
from demo.stage import Agent

from .aloud import LateAnswers, act

TRANSLATIONS: Final = CHECKOUT / "custom_components" / DOMAIN / "translations" / "en.json"

GUARD: Final = "guard"
"""An agent that runs no command before somebody allows it."""

ROOM: Final[JsonObject] = {
    "id": "room",
    "header": "Room",
    "question": "Which room?",
    "options": [{"label": "Kitchen"}, {"label": "Bath"}],
}
"""What an agent may ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Turns that nobody waits for while they wait for people; each ends as a late answer."""

    client: HomeAssistantClient
    late: LateAnswers

    async def begin(self, agent: Agent, message: str) -> str:
        """Ask an agent, and return what names the turn."""
        session = uuid.uuid4().hex
        response = await act(
            self.client,
            "ask",
            agent=agent.entity_id,
            session=session,
            message=message,
            wait=False,
        )
        return str(response["late_answer_id"])

    async def answer(self, turn: str) -> str:
        """Return what the agent says in the end."""
        event = await self.late.wait_for(lambda event: event["id"] == turn)
        assert event["status"] == "answered", event
        return str(event["text"])


def command(words: str) -> str:
    """Have the model run a command."""
    return f"MODEL:TOOL exec {json.dumps({'command': words})}"


def question(*parts: JsonObject) -> str:
    """Have the model ask people."""
    return f"MODEL:TOOL tool_call {json.dumps({'id': 'ask_user', 'args': {'questions': parts}})}"


def refused(key: str, **placeholders: str) -> AbstractContextManager[object]:
    """Expect that Home Assistant refuses something with this sentence."""
    texts = json.loads(TRANSLATIONS.read_text())["exceptions"]
    sentence = str(texts[key]["message"]).format(**placeholders).rstrip(".")
    return pytest.raises(HomeAssistantError, match=re.escape(sentence))

"""Agents as tools: another agent of Home Assistant asks an OpenClaw agent.

Off for each agent until its options offer it.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
import math
from typing import Final, override

from homeassistant.components.llm import LLMTools
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.llm import (
    LLM_API_ASSIST,
    LLMContext,
    Tool,
    ToolAnnotations,
    ToolInput,
    ToolResult,
)
from homeassistant.util import slugify
from homeassistant.util.json import JsonObjectType
import voluptuous as vol

from .assist.agent import Agent
from .assist.ask import Answer, ask
from .assist.context import MAX_NAME as MAX_AGENT_NAME, one_line
from .assist.question import Question
from .assist.run_limit import take_run
from .assist.surroundings import async_origin
from .assist.turn_result import TurnOutcome
from .const import DOMAIN
from .coordinator import OpenClawConfigEntry

SPOKEN_LIMIT: Final = 60.0
"""Seconds another agent waits where somebody listens; then the answer is announced there later."""

LIMIT: Final = 240.0
"""Seconds it waits elsewhere; then there is no answer."""

MAX_QUESTION: Final = 8_000
"""Characters of a question."""

MAX_ANSWER: Final = 16_000
"""Characters of an answer: it becomes a part of what the other agent has to read."""

MAX_NAME: Final = 64
"""Characters of the name of a tool that every maker of models takes."""

QUESTION: Final = "question"

_OURSELVES: Final = frozenset({DOMAIN, "mcp_server"})
"""Who gets no tool: our agents, also when they come back as clients of Home Assistant's MCP server."""

_LATER: Final = (
    "The agent needs longer. It goes on working, and the user will be told its answer later. "
    "Tell the user so, and do not ask again."
)


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """Return a tool for each agent that is offered as one."""
    if api_id != LLM_API_ASSIST or llm_context.platform in _OURSELVES:
        return None
    names: set[str] = set()
    tools: list[Tool] = [AskAgentTool(agent, names) for agent in _offered(hass)]
    return LLMTools(tools=tools) if tools else None


class AskAgentTool(Tool):
    """Asks one agent."""

    integration = DOMAIN
    # What the agent can do is the gateway's business: it may do anything, and not at home only.
    annotations = ToolAnnotations(
        read_only=False, destructive=True, idempotent=False, open_world=True
    )
    parameters = vol.Schema(
        {
            vol.Required(
                QUESTION,
                description=(
                    "The whole question or task, with everything the agent has to know: it has "
                    "not heard the conversation."
                ),
            ): cv.string
        }
    )

    def __init__(self, agent: Agent, names: set[str]) -> None:
        """`names` are those of the tools so far; that of this one is added."""
        self.name = _free_name(f"{DOMAIN}__ask_{slugify(agent.agent_id)}", names)
        # What the gateway calls it is not to become a paragraph of instructions.
        name = one_line(agent.name, MAX_AGENT_NAME)
        self.title = f"Ask {name}"
        self.description = (
            f"Ask {name}, an agent outside of Home Assistant with tools, skills and a "
            "memory of its own. Use it when the user asks for it by name, or for what you have no "
            "tool for. It may need a minute."
        )
        self._agent = agent

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        """Ask, and return what came of it; errors are told, not raised."""
        arguments = self.parameters(tool_input.tool_args)
        now = asyncio.get_running_loop().time()
        # Two agents that talk with each other would never stop.
        if (wait := take_run(self._agent, now)) > 0:
            reason = f"It was asked too often. Wait {math.ceil(wait)} seconds."
            return ToolResult(data={"error": reason}, error=True)
        user = llm_context.context.user_id if llm_context.context else None
        question = Question(
            text=arguments[QUESTION][:MAX_QUESTION],
            language=llm_context.language or hass.config.language,
            origin=await async_origin(
                hass, satellite_id=None, device_id=llm_context.device_id, user_id=user
            ),
        )
        is_heard = question.origin.satellite_id is not None
        answer = await ask(
            self._agent,
            question,
            timeout=SPOKEN_LIMIT if is_heard else LIMIT,
            can_be_later=is_heard,
        )
        return _result_of(answer)


def _result_of(answer: Answer) -> ToolResult:
    """Return what the other agent is told."""
    match answer.outcome:
        case TurnOutcome.FAILED:
            return ToolResult(data={"error": answer.sentence}, error=True)
        case TurnOutcome.LATER:
            return ToolResult(data={"status": _LATER})
        case TurnOutcome.SILENT:
            return ToolResult(data={"answer": None})
    data: JsonObjectType = {"answer": answer.text[:MAX_ANSWER]}
    if len(answer.text) > MAX_ANSWER:
        data["is_cut"] = True
    if answer.links:
        data["links"] = list(answer.links)
    return ToolResult(data=data)


def _offered(hass: HomeAssistant) -> Iterator[Agent]:
    """Yield the agents that others may ask."""
    entries: list[OpenClawConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    for entry in entries:
        for agent in entry.runtime_data.agents.values():
            if agent.options.offered_as_tool:
                yield agent


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that no other tool has: agents of two gateways may have the same id."""
    name = name[: MAX_NAME - 4]
    candidates = (name if number == 1 else f"{name}_{number}" for number in count(1))
    free = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(free)
    return free

"""The Assist agent of a subentry: what people say goes to an OpenClaw agent, the answer streams back."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .assist.agent import Agent
from .assist.agent_turn import AgentTurn, Manners
from .assist.question import Question
from .assist.scope import is_spoken
from .assist.session_key import without_aside
from .assist.surroundings import async_origin
from .assist.turn_result import TurnOutcome
from .const import LOGGER
from .coordinator import OpenClawConfigEntry
from .entity import AgentEntity, async_add_to_agents
from .outbox.delivery import async_delivery
from .outbox.replies import Expected
from .voice_context import without_opening

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add an Assist agent for every agent of the entry, now and when one is added later."""
    async_add_to_agents(entry, async_add_entities, OpenClawConversationEntity)


class OpenClawConversationEntity(AgentEntity, conversation.ConversationEntity):
    """An OpenClaw agent that answers in Assist."""

    _attr_name = None
    _attr_supports_streaming = True

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """Every language: the agent answers in the one it is asked in."""
        return MATCH_ALL

    @override
    async def async_prepare(self, language: str | None = None) -> None:
        """Bring the connection up while the user is still speaking."""
        self.coordinator.client.warm()

    @override
    async def _async_handle_message(
        self,
        user_input: conversation.ConversationInput,
        chat_log: conversation.ChatLog,
    ) -> conversation.ConversationResult:
        """Run one turn. Cancelling it aborts the run on the gateway."""
        self.coordinator.client.warm()
        turn, expected = await self._async_turn(user_input, chat_log.conversation_id)
        async with aclosing(turn.deltas()) as deltas:
            async for _ in chat_log.async_add_delta_content_stream(self.entity_id, deltas):
                pass
        if expected is not None and turn.listens and turn.satellite_id is not None:
            # What the agent asks back is answered there, too; an echo of ourselves was no answer.
            if turn.session_key:
                expected = replace(expected, said="")
            replies = async_delivery(self.hass).replies
            replies.expect(turn.satellite_id, expected, dt_util.utcnow())
        return self._conclude(turn, user_input, chat_log)

    async def _async_turn(
        self, user_input: conversation.ConversationInput, conversation_id: str
    ) -> tuple[AgentTurn, Expected | None]:
        """Return the turn, and what it is the reply to.

        A reply goes to the agent that is answered; else the turn is with the agent that was chosen
        for the satellite, else with this one.
        """
        origin = await async_origin(
            self.hass,
            satellite_id=user_input.satellite_id,
            device_id=user_input.device_id,
            user_id=user_input.context.user_id,
        )
        agent = self.coordinator.household.agent_at(origin.satellite_id) or self.agent
        question = Question(
            text=user_input.text,
            language=user_input.language,
            conversation_id=conversation_id,
            origin=origin,
            extra_instructions=user_input.extra_system_prompt,
        )
        expected = async_delivery(self.hass).replies.take(origin.satellite_id, dt_util.utcnow())
        if expected is not None and (answered := self._agent_of(expected)) is not None:
            agent = answered
            question = self._reply(question, expected, agent)
        else:
            expected = None
        question = replace(question, is_spoken=is_spoken(agent.options, origin))
        return AgentTurn(agent, question, Manners(is_conversation=True)), expected

    def _agent_of(self, expected: Expected) -> Agent | None:
        """Return the agent that is answered, if it can still be asked."""
        entry: OpenClawConfigEntry | None = self.hass.config_entries.async_get_entry(
            expected.entry_id
        )
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return None
        coordinator = entry.runtime_data
        if coordinator.directory.is_vanished(expected.agent_id):
            return None
        return coordinator.household.agent_of(expected.agent_id)

    def _reply(self, question: Question, expected: Expected, agent: Agent) -> Question:
        """Return a question as the reply to a message."""
        key = expected.session_key
        if key is not None:
            key = without_aside(key, self.coordinator.instance_id)
        question = replace(question, session_key=key, reply_to=expected.said)
        if expected.said:
            # The satellite may have heard the end of it.
            said = expected.aloud or expected.said
            now = asyncio.get_running_loop().time()
            agent.follow_ups.note_answer(question.origin.satellite_id, said, True, now)
            # Home Assistant tells it as an instruction. The agent is told better.
            told = without_opening(question.extra_instructions or "", expected.aloud)
            question = replace(question, extra_instructions=told or None)
        return question

    def _conclude(
        self,
        turn: AgentTurn,
        user_input: conversation.ConversationInput,
        chat_log: conversation.ChatLog,
    ) -> conversation.ConversationResult:
        result = turn.result
        response = intent.IntentResponse(language=user_input.language)
        if result.outcome is TurnOutcome.FAILED:
            category = result.error.category if result.error else None
            LOGGER.info("Agent %s gave no complete answer: %s", self.agent.agent_id, category)
            response.async_set_error(intent.IntentResponseErrorCode.FAILED_TO_HANDLE, result.speech)
        elif result.speech:
            response.async_set_speech(result.speech)
        return conversation.ConversationResult(
            response=response,
            conversation_id=chat_log.conversation_id,
            continue_conversation=turn.listens,
        )

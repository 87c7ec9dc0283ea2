"""The Assist agent of a subentry: what people say goes to an OpenClaw agent, the answer streams back."""

from contextlib import aclosing
from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .assist.agent_turn import AgentTurn, Manners
from .assist.question import Question
from .assist.scope import is_spoken
from .assist.surroundings import async_origin
from .assist.turn import TurnOutcome
from .const import LOGGER
from .coordinator import OpenClawConfigEntry
from .entity import AgentEntity, async_add_to_agents

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
        turn = await self._async_turn(user_input, chat_log.conversation_id)
        async with aclosing(turn.deltas()) as deltas:
            async for _ in chat_log.async_add_delta_content_stream(self.entity_id, deltas):
                pass
        return self._conclude(turn, user_input, chat_log)

    async def _async_turn(
        self, user_input: conversation.ConversationInput, conversation_id: str
    ) -> AgentTurn:
        """Return the turn with the agent that was chosen for the satellite, else with this one."""
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
            is_spoken=is_spoken(agent.options, origin),
            extra_instructions=user_input.extra_system_prompt,
        )
        return AgentTurn(agent, question, Manners(is_conversation=True))

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

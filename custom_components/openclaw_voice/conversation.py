"""The Assist agent of a subentry: what people say goes to an OpenClaw agent, the answer streams back."""

from contextlib import aclosing
from functools import partial
from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import intent
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .assist.context import build_instructions
from .assist.options import AgentOptions, ContextField
from .assist.question import Question
from .assist.session_key import SessionKind, SessionScope, session_key
from .assist.turn import Turn, TurnOutcome, TurnResult
from .const import LOGGER
from .coordinator import OpenClawConfigEntry
from .entity import AgentEntity
from .exceptions import async_sentence

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add an Assist agent for every agent of the entry, now and when one is added later."""
    coordinator = entry.runtime_data

    @callback
    def add_agent(subentry: ConfigSubentry) -> None:
        async_add_entities(
            [OpenClawConversationEntity(coordinator, subentry)],
            config_subentry_id=subentry.subentry_id,
        )

    entry.async_on_unload(coordinator.async_for_each_agent(add_agent))


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
        client = self.coordinator.client
        client.warm()
        run = client.chat.start(
            session_key=self._session_key(chat_log.conversation_id),
            message=user_input.text,
            instructions=self._instructions(user_input),
        )
        turn = Turn(run, explain=partial(async_sentence, self.hass, user_input.language))
        async with aclosing(turn.deltas()) as deltas:
            async for _ in chat_log.async_add_delta_content_stream(self.entity_id, deltas):
                pass
        return self._conclude(turn.result, user_input, chat_log)

    def _instructions(self, user_input: conversation.ConversationInput) -> str:
        question = Question(
            text=user_input.text,
            language=user_input.language,
            is_spoken=True,
            extra_instructions=user_input.extra_system_prompt,
        )
        options = AgentOptions(context=frozenset({ContextField.EXTRA}))
        return build_instructions(question, options, now=dt_util.now())

    def _session_key(self, conversation_id: str) -> str:
        scope = SessionScope(kind=SessionKind.CONVERSATION, value=conversation_id)
        return session_key(self.agent_id, self.coordinator.instance_id, scope)

    def _conclude(
        self,
        result: TurnResult,
        user_input: conversation.ConversationInput,
        chat_log: conversation.ChatLog,
    ) -> conversation.ConversationResult:
        response = intent.IntentResponse(language=user_input.language)
        match result.outcome:
            case TurnOutcome.ANSWERED:
                response.async_set_speech(result.speech)
            case TurnOutcome.FAILED:
                category = result.error.category if result.error else None
                LOGGER.info("Agent %s gave no complete answer: %s", self.agent_id, category)
                response.async_set_error(
                    intent.IntentResponseErrorCode.FAILED_TO_HANDLE, result.speech
                )
        return conversation.ConversationResult(
            response=response,
            conversation_id=chat_log.conversation_id,
            continue_conversation=result.outcome is TurnOutcome.ANSWERED
            and chat_log.continue_conversation,
        )

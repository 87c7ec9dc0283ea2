"""AI tasks: an automation or another integration has an agent make data, alone in a session."""

from typing import override

from homeassistant.components import ai_task, conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import llm
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .assist.attachments import async_read
from .assist.question import Question
from .assist.structured import Structure
from .assist.task import async_perform
from .coordinator import OpenClawConfigEntry
from .entity import AgentEntity, async_add_to_agents
from .exceptions import action_error
from .gateway.errors import GatewayError

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _: HomeAssistant,
    entry: OpenClawConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add an entity for every agent of the entry, now and when one is added later."""
    async_add_to_agents(entry, async_add_entities, OpenClawTaskEntity)


class OpenClawTaskEntity(AgentEntity, ai_task.AITaskEntity):
    """An OpenClaw agent that does tasks."""

    _attr_name = None
    _attr_supported_features = (
        ai_task.AITaskEntityFeature.GENERATE_DATA | ai_task.AITaskEntityFeature.SUPPORT_ATTACHMENTS
    )

    @override
    async def _async_generate_data(
        self, task: ai_task.GenDataTask, chat_log: conversation.ChatLog
    ) -> ai_task.GenDataTaskResult:
        """Have the agent do a task.

        Raises:
            HomeAssistantError: Nothing came of it, and why.
        """
        structure = (
            None
            if task.structure is None
            else Structure(task.structure, serializer=llm.selector_serializer)
        )
        try:
            question = Question(
                text=task.instructions,
                language=self.hass.config.language,
                # Whatever scope its conversations have: a task knows nothing of another one.
                session=f"task {chat_log.conversation_id}",
                attachments=await async_read(
                    self.hass, task.attachments or (), self.coordinator.snapshot.hello
                ),
            )
            result = await async_perform(self.agent, question, structure)
        except GatewayError as err:
            raise action_error(err) from err
        chat_log.async_add_assistant_content_without_tools(
            conversation.AssistantContent(agent_id=self.entity_id, content=result.text)
        )
        return ai_task.GenDataTaskResult(conversation_id=chat_log.conversation_id, data=result.data)

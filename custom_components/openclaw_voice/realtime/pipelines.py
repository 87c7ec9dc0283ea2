"""Which of Home Assistant's pipelines answers in a realtime session."""

from dataclasses import dataclass
from typing import Final

from homeassistant.components import assist_pipeline
from homeassistant.components.assist_pipeline import Pipeline, PipelineNotFound
from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline
from homeassistant.core import HomeAssistant, callback

from .backend import BackendError

NOTE_OTHER_AGENT: Final = "pipeline_agent_answers"
"""The pipeline's own agent answers, not the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineChoice:
    """A pipeline, and what is to be said about its choice."""

    pipeline: Pipeline
    notes: tuple[str, ...] = ()


@callback
def async_choose_pipeline(
    hass: HomeAssistant, agent: str, pipeline_id: str | None = None
) -> PipelineChoice:
    """Return the named pipeline, else the first whose agent is the one, else the preferred one.

    `agent` is the entity id of a conversation agent. Only pipelines that hear and speak count.

    Raises:
        BackendError: There is none.
    """
    if assist_pipeline.DOMAIN not in hass.config.components:
        raise BackendError("no_backend")
    if pipeline_id is None:
        for pipeline in assist_pipeline.async_get_pipelines(hass):
            if pipeline.conversation_engine == agent and _has_voice(pipeline):
                return PipelineChoice(pipeline=pipeline)
    try:
        pipeline = async_get_pipeline(hass, pipeline_id)
    except PipelineNotFound as error:
        raise BackendError("no_backend") from error
    if not _has_voice(pipeline):
        raise BackendError("no_backend")
    notes = () if pipeline.conversation_engine == agent else (NOTE_OTHER_AGENT,)
    return PipelineChoice(pipeline=pipeline, notes=notes)


@callback
def async_agent_of(hass: HomeAssistant, pipeline_id: str) -> str | None:
    """Return the agent that a pipeline names, by its entity id; None when there is no such pipeline."""
    if assist_pipeline.DOMAIN not in hass.config.components:
        return None
    try:
        return async_get_pipeline(hass, pipeline_id).conversation_engine
    except PipelineNotFound:
        return None


def _has_voice(pipeline: Pipeline) -> bool:
    return pipeline.stt_engine is not None and pipeline.tts_engine is not None

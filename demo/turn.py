"""What a client of Assist sees of one turn. Pure."""

from dataclasses import dataclass
from typing import Any

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEvent:
    """What Assist tells about a run, as it comes."""

    kind: str
    """Home Assistant's word, such as `stt-end`."""

    data: JsonObject
    seconds: float
    """Since the run was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """Assist has given the utterance to an agent."""

    agent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStarted:
    """A new message of the assistant begins."""

    seconds: float
    """Since the utterance was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of text of the answer."""

    text: str
    seconds: float
    """Since the utterance was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The end of a turn, with the answer as Assist has it."""

    answer: str
    response_type: str
    """Home Assistant's word: `action_done`, `query_answer` or `error`."""

    conversation_id: str
    was_local: bool
    """Home Assistant answered by itself, without the agent."""

    seconds: float
    """Since the utterance was sent."""


type TurnEvent = TurnStarted | MessageStarted | Delta | TurnEnded


def turn_events(kind: str, data: JsonObject, seconds: float) -> list[TurnEvent]:
    """Translate one pipeline event."""
    match kind:
        case "intent-start":
            return [TurnStarted(agent_id=data["engine"])]
        case "intent-progress":
            delta: JsonObject = data.get("chat_log_delta") or {}
            events: list[TurnEvent] = []
            if delta.get("role") == "assistant":
                events.append(MessageStarted(seconds=seconds))
            if text := delta.get("content"):
                events.append(Delta(text=text, seconds=seconds))
            return events
        case "intent-end":
            output: JsonObject = data["intent_output"]
            response: JsonObject = output["response"]
            speech: JsonObject = response["speech"].get("plain") or {}
            return [
                TurnEnded(
                    answer=speech.get("speech") or "",
                    response_type=response["response_type"],
                    conversation_id=output["conversation_id"],
                    was_local=data["processed_locally"],
                    seconds=seconds,
                )
            ]
        case _:
            return []

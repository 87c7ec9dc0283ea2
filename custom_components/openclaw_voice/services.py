"""The actions: ask an agent, its conversations, its late answers, stop it, test it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
import math
from typing import Any, Final
import uuid

from homeassistant.components.conversation import DOMAIN as CONVERSATION_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv, entity_registry as er
import voluptuous as vol

from . import request_services
from .assist.agent import Agent
from .assist.ask import Answer, ask
from .assist.media import MEDIA_ID, MEDIA_TYPE, async_fetch, pictured_entity
from .assist.memory import NotOurSessionError, OtherAgentsSessionError
from .assist.question import Origin, Question
from .assist.run_limit import take_run
from .assist.session_key import is_ours
from .assist.surroundings import async_origin
from .assist.timings import Timings
from .assist.turn_result import TOTAL_LIMIT, TurnOutcome
from .const import DOMAIN
from .coordinator import OpenClawConfigEntry
from .exceptions import action_error, input_error
from .gateway.errors import GatewayError
from .gateway.status import WakeMode
from .named_scope import (
    ATTR_AREA,
    ATTR_CONVERSATION_ID,
    ATTR_PERSON,
    ATTR_SATELLITE,
    ATTR_SESSION,
    PLACES,
    named_person,
    named_scope,
    used_scope,
)
from .outbox.late_answer import LateAnswer, event_data
from .rights import async_check_rights

ATTR_AGENT: Final = "agent"
ATTR_ATTACHMENTS: Final = "attachments"
ATTR_CONTEXT: Final = "context"
ATTR_LATE_ANSWER_ID: Final = "late_answer_id"
ATTR_MESSAGE: Final = "message"
ATTR_SESSION_KEY: Final = "session_key"
ATTR_TEXT: Final = "text"
ATTR_TIMEOUT: Final = "timeout"
ATTR_WAIT: Final = "wait"
ATTR_WHEN: Final = "when"

MAX_TIMEOUT: Final = 3600
MAX_ATTACHMENTS: Final = 16

WAKE_MODES: Final = {"now": WakeMode.NOW, "next_heartbeat": WakeMode.NEXT_HEARTBEAT}
"""When an agent that is woken looks up, as our action names it."""

TEST_MESSAGE: Final = "Say hello in one short sentence."

_TEXT: Final = vol.All(cv.string, vol.Strip, vol.Length(min=1))
type _Fields = dict[vol.Marker, Any]

_AGENT: Final[_Fields] = {vol.Required(ATTR_AGENT): cv.entity_id}
_SCOPE: Final = "scope"
_PLACES: Final[_Fields] = {
    vol.Exclusive(ATTR_SATELLITE, _SCOPE): cv.entity_id,
    vol.Exclusive(ATTR_PERSON, _SCOPE): cv.entity_id,
    vol.Exclusive(ATTR_AREA, _SCOPE): _TEXT,
    vol.Exclusive(ATTR_CONVERSATION_ID, _SCOPE): _TEXT,
}
"""What a session is shared by, if it is not a named one."""

_NAMED: Final[_Fields] = {vol.Exclusive(ATTR_SESSION, _SCOPE): _TEXT}
_MEDIA: Final = vol.Schema(
    {vol.Required(MEDIA_ID): _TEXT, vol.Optional(MEDIA_TYPE): cv.string}, extra=vol.REMOVE_EXTRA
)
_ASK: Final[_Fields] = {
    vol.Required(ATTR_MESSAGE): _TEXT,
    vol.Optional(ATTR_CONTEXT): cv.string,
    vol.Optional(ATTR_PERSON): cv.entity_id,
    vol.Optional(ATTR_SESSION): _TEXT,
    vol.Optional(ATTR_ATTACHMENTS, default=list): vol.All(
        cv.ensure_list, [_MEDIA], vol.Length(max=MAX_ATTACHMENTS)
    ),
    vol.Optional(ATTR_TIMEOUT, default=TOTAL_LIMIT): vol.All(
        vol.Coerce(float), vol.Range(min=1, max=MAX_TIMEOUT)
    ),
    vol.Optional(ATTR_WAIT, default=True): cv.boolean,
}


_WAKE: Final[_Fields] = {
    vol.Required(ATTR_TEXT): _TEXT,
    vol.Optional(ATTR_WHEN, default="now"): vol.In(WAKE_MODES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCall:
    """A call of an action, and the agent it is about."""

    hass: HomeAssistant
    agent: Agent
    entry: OpenClawConfigEntry
    data: dict[str, Any]
    user_id: str | None


type Handler = Callable[[AgentCall], Awaitable[ServiceResponse]]


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register the actions. They are there as long as Home Assistant runs."""

    def register(
        name: str,
        handler: Handler,
        fields: _Fields,
        response: SupportsResponse = SupportsResponse.OPTIONAL,
    ) -> None:
        async def handle(call: ServiceCall) -> ServiceResponse:
            agent_call = _agent_call(call)
            await async_check_rights(
                hass, call.context, control=call.data[ATTR_AGENT], see=_pictured(call)
            )
            try:
                return await handler(agent_call)
            except GatewayError as err:
                raise action_error(err) from err

        schema = vol.Schema(_AGENT | fields)
        hass.services.async_register(
            DOMAIN, name, handle, schema=schema, supports_response=response
        )

    register("ask", _async_ask, _ASK)
    register("new_conversation", _async_new_conversation, _PLACES | _NAMED)
    register(
        "continue_conversation",
        _async_continue_conversation,
        _PLACES | {vol.Required(ATTR_SESSION_KEY): _TEXT},
    )
    register("list_sessions", _async_list_sessions, {}, SupportsResponse.ONLY)
    register("list_late_answers", _async_list_late_answers, {}, SupportsResponse.ONLY)
    register("cancel_late_answer", _async_cancel, {vol.Required(ATTR_LATE_ANSWER_ID): _TEXT})
    register("stop", _async_stop, _PLACES | _NAMED)
    register(
        "test",
        _async_test,
        {vol.Optional(ATTR_MESSAGE, default=TEST_MESSAGE): _TEXT},
        SupportsResponse.ONLY,
    )
    register("wake", _async_wake, _WAKE, SupportsResponse.NONE)
    request_services.async_register(hass)


def _agent_call(call: ServiceCall) -> AgentCall:
    """Find the agent a call is about.

    Raises:
        ServiceValidationError: It is none of ours, or its gateway is not set up now.
    """
    entity_id: str = call.data[ATTR_AGENT]
    row = er.async_get(call.hass).async_get(entity_id)
    if row is None or row.platform != DOMAIN or row.domain != CONVERSATION_DOMAIN:
        raise input_error("no_such_agent", entity_id=entity_id)
    entry: OpenClawConfigEntry | None = call.hass.config_entries.async_get_entry(
        row.config_entry_id or ""
    )
    if entry is None or entry.state is not ConfigEntryState.LOADED:
        raise input_error("agent_not_loaded", entity_id=entity_id)
    agent = entry.runtime_data.agents.get(row.config_subentry_id or "")
    if agent is None:
        raise input_error("no_such_agent", entity_id=entity_id)
    return AgentCall(
        hass=call.hass,
        agent=agent,
        entry=entry,
        data=dict(call.data),
        user_id=call.context.user_id,
    )


def _pictured(call: ServiceCall) -> list[str]:
    """Return the cameras and images of which a call takes a picture."""
    attached = call.data.get(ATTR_ATTACHMENTS, ())
    return [entity_id for item in attached if (entity_id := pictured_entity(item[MEDIA_ID]))]


# asking


async def _async_ask(call: AgentCall) -> ServiceResponse:
    """Ask, and return the answer. What fails is raised, and what takes too long comes later."""
    _take_run(call)
    origin = await _async_asker(call)
    hello = call.entry.runtime_data.snapshot.hello
    question = Question(
        text=call.data[ATTR_MESSAGE],
        language=call.hass.config.language,
        origin=origin,
        extra_instructions=call.data.get(ATTR_CONTEXT),
        attachments=await async_fetch(call.hass, call.data[ATTR_ATTACHMENTS], hello),
        session=call.data.get(ATTR_SESSION),
    )
    answer = await ask(
        call.agent, question, timeout=call.data[ATTR_TIMEOUT], waits=call.data[ATTR_WAIT]
    )
    if answer.error is not None:
        raise answer.error
    return _answer(answer)


def _take_run(call: AgentCall) -> None:
    """Count a run, before it costs anything.

    Raises:
        ServiceValidationError: There were too many of this agent.
    """
    wait = take_run(call.agent, asyncio.get_running_loop().time())
    if wait > 0:
        raise input_error("too_many_runs", seconds=str(math.ceil(wait)))


async def _async_asker(call: AgentCall) -> Origin:
    """Return who asks: the person that is named, else the user who runs the action."""
    person = call.data.get(ATTR_PERSON)
    if person is None:
        return await async_origin(
            call.hass, satellite_id=None, device_id=None, user_id=call.user_id
        )
    return named_person(call.hass, person)


async def _async_test(call: AgentCall) -> ServiceResponse:
    """Run one turn in a session of its own, and name the slow stage."""
    _take_run(call)
    question = Question(
        text=call.data[ATTR_MESSAGE],
        language=call.hass.config.language,
        session=f"test {uuid.uuid4()}",
    )
    answer = await ask(call.agent, question, can_be_later=False)
    if answer.error is not None:
        raise answer.error
    stages = stages_of(answer.timings)
    return {
        **_answer(answer),
        "stages": {stage: round(seconds, 3) for stage, seconds in stages.items()},
        "slowest": max(stages, key=stages.__getitem__, default=None),
        "seconds": round(answer.timings.done or 0.0, 3),
    }


def stages_of(timings: Timings) -> dict[str, float]:
    """Return how many seconds each stage took that was reached, in order.

    Without any text, as when the agent decides to be silent, it is the first text that was waited
    for until the end.
    """
    reached = asdict(timings)
    if timings.first_text is None:
        reached["first_text"] = reached.pop("done")
    stages: dict[str, float] = {}
    before = 0.0
    for stage, at in reached.items():
        if at is not None:
            stages[stage] = at - before
            before = at
    return stages


async def _async_wake(call: AgentCall) -> ServiceResponse:
    """Tell an agent something. What it says to that comes as a notification."""
    _take_run(call)
    await call.entry.runtime_data.client.status.wake(
        call.data[ATTR_TEXT], WAKE_MODES[call.data[ATTR_WHEN]], agent_id=call.agent.agent_id
    )
    return None


def _answer(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {
        "status": answer.outcome.value,
        "answer": answer.text,
        "links": list(answer.links),
        "session_key": answer.session_key,
        "run_id": answer.run_id,
    }
    if answer.outcome is TurnOutcome.LATER:
        response[ATTR_LATE_ANSWER_ID] = answer.late_answer_id
    return response


# conversations


async def _async_new_conversation(call: AgentCall) -> ServiceResponse:
    old, new = call.agent.new_conversation(used_scope(call.hass, call.agent, call.data))
    return {"session_key": new, "previous_session_key": old}


async def _async_continue_conversation(call: AgentCall) -> ServiceResponse:
    scope = used_scope(call.hass, call.agent, call.data)
    try:
        call.agent.continue_conversation(scope, call.data[ATTR_SESSION_KEY])
    except NotOurSessionError as err:
        raise input_error("not_our_session") from err
    except OtherAgentsSessionError as err:
        raise input_error("other_agents_session") from err
    return {"session_key": call.agent.key_of(scope)}


async def _async_list_sessions(call: AgentCall) -> ServiceResponse:
    coordinator = call.entry.runtime_data
    sessions = await coordinator.client.sessions.list(call.agent.agent_id)
    return {
        "sessions": [
            {
                "session_key": session.key,
                "kind": session.key.split(":")[4],
                "updated": session.updated.isoformat() if session.updated else None,
                "is_active": session.is_active,
                "model": session.model,
                "tokens": session.total_tokens,
            }
            for session in sessions
            if is_ours(session.key, coordinator.instance_id)
        ]
    }


async def _async_stop(call: AgentCall) -> ServiceResponse:
    """Stop what goes on in a session; without one, everything of the agent."""
    key = None
    if any(place in call.data for place in PLACES):
        key = call.agent.key_of(named_scope(call.hass, call.agent, call.data))
    stopped = await call.agent.async_stop(key, satellite_id=call.data.get(ATTR_SATELLITE))
    return {"stopped": stopped.value}


# late answers


async def _async_list_late_answers(call: AgentCall) -> ServiceResponse:
    outbox = call.entry.runtime_data.outbox
    return {
        "late_answers": [
            _late_answer(call, answer)
            for answer in outbox.all()
            if answer.subentry_id == call.agent.subentry_id
        ]
    }


async def _async_cancel(call: AgentCall) -> ServiceResponse:
    outbox = call.entry.runtime_data.outbox
    answer = outbox.get(call.data[ATTR_LATE_ANSWER_ID])
    if answer is None or answer.subentry_id != call.agent.subentry_id:
        raise input_error("no_such_late_answer")
    return _late_answer(call, await outbox.async_cancel(answer.id))


def _late_answer(call: AgentCall, answer: LateAnswer) -> dict[str, Any]:
    """Return what the event says, and what only those are told who ask for it."""
    data = event_data(answer, entry_id=call.entry.entry_id)
    return {**data, "status": answer.status.value, "question": answer.question}

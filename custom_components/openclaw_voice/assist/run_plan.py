"""Where a question is asked, and what the agent is told with it."""

import asyncio
from dataclasses import dataclass, field, replace
import logging
from typing import Final

from homeassistant.util import dt as dt_util

from ..gateway.errors import GatewayError, RunError
from ..gateway.sessions import MessageRole, SessionMessage
from .agent import Agent, Aside
from .attachments import all_are_images
from .context import MAX_MESSAGES, Meanwhile, Said, build_instructions, build_work_context
from .options import AgentOptions
from .question import Question
from .session_key import SessionScope
from .surroundings import async_render_instructions

_LOGGER: Final = logging.getLogger(__name__)

HISTORY_LIMIT: Final = 2.0
"""Seconds to read what was said; a turn does not wait longer for it."""


class StillBusyError(RunError):
    """The task of an earlier turn goes on, and the side session of its session has one, too."""

    category = "still_busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a run is started with."""

    session_key: str
    """Of the session itself, or of its side session."""

    told: str = field(repr=False)
    """Instructions; the work context where `options_for` says that it asks before risk."""

    aside: Aside | None = None
    """The question is asked aside; what is said there is told later."""

    told_aside: str | None = None
    """The session that is told what was said aside."""

    told_answers: tuple[str, ...] = ()
    """Ids of the late answers it is told, because nobody has heard them."""


async def async_plan(
    agent: Agent, question: Question, scope: SessionScope, options: AgentOptions
) -> RunPlan:
    """Return how to ask.

    Nothing is waited for unless something goes on beside the session, or a message is answered.

    `options` are those of `options_for`.

    Raises:
        StillBusyError: Neither the session nor its side session can be asked now.
    """
    key = await _async_key(agent, question, scope)
    outbox = agent.house.outbox
    task = outbox.open_in(key)
    aside = agent.aside_of(scope, key) if task is not None else None
    if aside is not None and outbox.open_in(aside.key) is not None:
        raise StillBusyError("a task goes on here and aside")
    if task is not None and aside is not None:
        history = await _async_messages(agent, options, key)
        meanwhile = Meanwhile(task=task.question, last_messages=_said(history))
        told = _told(agent, question, options, meanwhile)
        return RunPlan(session_key=aside.key, aside=aside, told=told)
    aside_key = agent.key_of(replace(scope, is_aside=True))
    # Where every conversation is a session of its own, its next turn would never come: so those of
    # the satellite, too.
    unheard = [
        answer
        for answer in outbox.unheard(key, aside_key, satellite_id=question.origin.satellite_id)
        if answer.subentry_id == agent.subentry_id
    ]
    before = agent.aside_before(key)
    meanwhile = Meanwhile(
        said_aside=await _async_said_aside(agent, options, before) if before is not None else (),
        unheard=tuple(answer.text for answer in unheard),
    )
    return RunPlan(
        session_key=key,
        told=_told(agent, question, options, meanwhile),
        told_aside=key if before is not None else None,
        told_answers=tuple(answer.id for answer in unheard),
    )


def options_for(agent: Agent, question: Question) -> AgentOptions:
    """Return how an agent is used for a question.

    With a file that is no image it goes the way of agents that ask before risk: the other way
    takes images only.
    """
    if all_are_images(question.attachments):
        return agent.options
    return replace(agent.options, asks_before_risk=True)


async def _async_key(agent: Agent, question: Question, scope: SessionScope) -> str:
    """Return the session of the message that is answered, else the one of the scope.

    The gateway removes the sessions of scheduled jobs. One that is begun anew would know nothing of
    the job, nor of the conversations here.
    """
    key = question.session_key
    if key is not None and await _async_read(agent, key):
        return key
    return agent.key_of(scope)


def _told(agent: Agent, question: Question, options: AgentOptions, meanwhile: Meanwhile) -> str:
    """Return what the agent is told besides the question, as its kind of run can carry it."""
    if options.asks_before_risk:
        return build_work_context(question, options, dt_util.now(), meanwhile)
    rendered = async_render_instructions(
        agent.house.hass, options, question.origin, language=question.language
    )
    return build_instructions(
        question, options, now=dt_util.now(), rendered=rendered, meanwhile=meanwhile
    )


async def _async_said_aside(agent: Agent, options: AgentOptions, aside: Aside) -> tuple[Said, ...]:
    """Return what was said in the side session since the task began."""
    messages = await _async_messages(agent, options, aside.key)
    return _said(tuple(message for message in messages if message.run_id in aside.run_ids))


async def _async_messages(
    agent: Agent, options: AgentOptions, session_key: str
) -> tuple[SessionMessage, ...]:
    """Return the last messages of a session that an agent can be told."""
    if options.asks_before_risk:
        return ()  # There is no room for them in its context.
    return await _async_read(agent, session_key)


async def _async_read(agent: Agent, session_key: str) -> tuple[SessionMessage, ...]:
    """Return the last messages of a session, none when they cannot be read in time."""
    try:
        async with asyncio.timeout(HISTORY_LIMIT):
            return await agent.house.client.sessions.messages(session_key, MAX_MESSAGES)
    except (TimeoutError, GatewayError) as err:
        _LOGGER.debug("The history of a session is not known: %s", type(err).__name__)
        return ()


def _said(messages: tuple[SessionMessage, ...]) -> tuple[Said, ...]:
    return tuple(
        Said(text=message.text, is_answer=message.role is MessageRole.ASSISTANT)
        for message in messages
    )

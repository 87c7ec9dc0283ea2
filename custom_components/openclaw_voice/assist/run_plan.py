"""Where a question is asked, and what the agent is told with it."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
import logging
from typing import Final

from homeassistant.util import dt as dt_util

from ..gateway.errors import GatewayError, RunError
from ..gateway.sessions import MessageRole, SessionMessage
from ..outbox.late_answer import LateAnswer, LateStatus
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


async def async_plan(agent: Agent, question: Question, scope: SessionScope) -> RunPlan:
    """Return how to ask. Nothing is waited for unless something goes on beside the session.

    Raises:
        StillBusyError: Neither the session nor its side session can be asked now.
    """
    key = agent.key_of(scope)
    outbox = agent.house.outbox
    task = outbox.open_in(key)
    aside = agent.aside_of(scope, key) if task is not None else None
    if aside is not None and outbox.open_in(aside.key) is not None:
        raise StillBusyError("a task goes on here and aside")
    if task is not None and aside is not None:
        history = await _async_messages(agent, key)
        meanwhile = Meanwhile(task=task.question, last_messages=_said(history))
        return RunPlan(session_key=aside.key, aside=aside, told=_told(agent, question, meanwhile))
    unheard = _unheard(agent, question, {key, agent.key_of(replace(scope, is_aside=True))})
    before = agent.aside_before(key)
    meanwhile = Meanwhile(
        said_aside=await _async_said_aside(agent, before) if before is not None else (),
        unheard=tuple(answer.text for answer in unheard),
    )
    return RunPlan(
        session_key=key,
        told=_told(agent, question, meanwhile),
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


def _unheard(agent: Agent, question: Question, keys: Collection[str]) -> list[LateAnswer]:
    """Return what nobody has heard of these sessions, or at this satellite, the oldest first.

    Where every conversation is a session of its own, its next turn would never come.
    """
    satellite_id = question.origin.satellite_id
    return [
        answer
        for answer in reversed(agent.house.outbox.all())
        if answer.status is LateStatus.UNHEARD
        and answer.subentry_id == agent.subentry_id
        and (
            answer.session_key in keys
            or (satellite_id is not None and answer.satellite_id == satellite_id)
        )
    ]


def _told(agent: Agent, question: Question, meanwhile: Meanwhile) -> str:
    """Return what the agent is told besides the question, as its kind of run can carry it."""
    options = options_for(agent, question)
    if options.asks_before_risk:
        return build_work_context(question, options, dt_util.now(), meanwhile)
    rendered = async_render_instructions(
        agent.house.hass, options, question.origin, language=question.language
    )
    return build_instructions(
        question, options, now=dt_util.now(), rendered=rendered, meanwhile=meanwhile
    )


async def _async_said_aside(agent: Agent, aside: Aside) -> tuple[Said, ...]:
    """Return what was said in the side session since the task began."""
    messages = await _async_messages(agent, aside.key)
    return _said(tuple(message for message in messages if message.run_id in aside.run_ids))


async def _async_messages(agent: Agent, session_key: str) -> tuple[SessionMessage, ...]:
    """Return the last messages of a session, none when they cannot be read in time."""
    if agent.options.asks_before_risk:
        return ()  # There is no room for them in its context.
    try:
        async with asyncio.timeout(HISTORY_LIMIT):
            return await agent.house.client.sessions.messages(session_key, MAX_MESSAGES)
    except (TimeoutError, GatewayError) as err:
        _LOGGER.debug("The history of a session is not told: %s", type(err).__name__)
        return ()


def _said(messages: tuple[SessionMessage, ...]) -> tuple[Said, ...]:
    return tuple(
        Said(text=message.text, is_answer=message.role is MessageRole.ASSISTANT)
        for message in messages
    )

"""How a session begins and ends, in the words of the satellite protocol (pure)."""

from collections.abc import Iterator
from dataclasses import replace

from . import server_events as say
from .backend import BackendInfo
from .hub import SessionInfo
from .protocol import RULES, Reason
from .session_config import SessionConfig
from .session_ears import may_interrupt
from .summary import SessionSummary


def ready(info: SessionInfo, config: SessionConfig, backend: BackendInfo) -> say.SessionReady:
    """Say that the satellite may speak, and what it has."""
    can = backend.capabilities
    is_heard = may_interrupt(config, backend.name)
    return say.SessionReady(
        session_id=info.session_id,
        backend=backend.name,
        agent=info.agent_id or None,
        agent_name=info.agent_name or None,
        audio=config.audio,
        capabilities=replace(can, barge_in=can.barge_in and is_heard),
        notes=backend.notes,
    )


def goodbye(summary: SessionSummary, reason: Reason) -> Iterator[say.ServerEvent]:
    """Say why it is over, and how it was."""
    rule = RULES[reason]
    if rule.code is not None:
        yield say.error(reason, is_recoverable=False)
    yield say.SessionEnded(
        reason=reason,
        duration=summary.seconds,
        turn_count=summary.turns,
        summary=rule.message,
        tokens=summary.tokens.get("total_tokens"),
        mean_first_audio=summary.latency.mean_first_audio,
    )

"""A message of an agent that nobody asked for: read from an event, found in a history (pure).

Source: gateway protocol 4, `chat` finals and `chat.history`; measured on gateway 2026.9.6. A run has
a row with what started it, its prompt, keyed by its id. That of a person or a program says no more;
that of the gateway names itself, and that of a job has an id of its own. The agent's rows follow,
with the id of the run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
import hashlib
import re
from typing import Final

from .frames import JsonObject, as_list, as_object, as_text, moment
from .recovery import RESTART_RECOVERY, active_runs
from .run_media import message_links, split_media
from .run_text import SEPARATOR
from .sessions import USER_KEY, agent_of, text_of
from .silence import is_silent

INJECTED: Final = "inject-"
"""Before the id of a row: the run id of a message that a program has put into a session."""

CONSULT: Final = "talk-"
"""Before the id of a run by which a voice session asks the agent. Its prompt is in no history."""

CRON: Final = "cron"
"""Who writes the prompt of a scheduled job that runs in a named session."""

_OF_GATEWAY: Final = frozenset({"internal_system", "inter_session"})
"""Where a prompt comes from that no person and no client has sent."""

_BY_GATEWAY: Final = "gateway-injected"
"""The model of a text that none has written: put into the session, or the answer to a command."""

_MIRROR: Final = "delivery-mirror"
"""The model of a row with what the agent has sent by its `message` tool."""

_LABELLED: Final = re.compile(r"\[([^\n]{1,100})\]\n\n")
"""How the label of such a message begins its text."""

_ENDED: Final = frozenset({"stop", "length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaskedMessage:
    """Something an agent, or a program in its name, says in a session by itself."""

    session_key: str
    agent_id: str | None = None
    run_id: str | None = None
    """None for a message that was put into the session."""

    message_id: str
    """The same live and in the history; unique on the gateway."""

    label: str | None = field(default=None, repr=False)
    """Who put it into the session, as they call themselves."""

    text: str = field(repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of media that belong to it."""

    at: datetime
    """UTC."""

    @property
    def digest(self) -> str:
        """Tells its text from others; blanks do not count."""
        return digest_of(self.text)

    @property
    def has_content(self) -> bool:
        """Whether there is something for people in it."""
        return not is_silent(self.text) or bool(self.links)

    def as_further(self) -> UnaskedMessage:
        """Return the same as one more message of its run, after the answer."""
        return replace(self, message_id=f"{self.run_id}:{self.digest}")


def digest_of(text: str) -> str:
    """Return what tells a text from others; blanks do not count."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def message_of(payload: JsonObject) -> UnaskedMessage | None:
    """Read a `chat` event, None when it is not the final one of a run in a session.

    A message without a text is one, too: a run may end without any.
    """
    session_key, run_id = as_text(payload.get("sessionKey")), as_text(payload.get("runId"))
    if payload.get("state") != "final" or session_key is None or run_id is None:
        return None
    message = as_object(payload.get("message"))
    text, links = _said(message)
    found = UnaskedMessage(
        session_key=session_key,
        agent_id=as_text(payload.get("agentId")) or agent_of(session_key),
        run_id=run_id,
        message_id=run_id,
        text=text,
        links=links,
        at=moment(message.get("timestamp")) or datetime.now(UTC),
    )
    return _as_injected(found) if run_id.startswith(INJECTED) else found


def is_by_gateway(payload: JsonObject) -> bool:
    """Tell whether a `chat` event has a text that the gateway itself made, as for a command."""
    return as_object(payload.get("message")).get("model") == _BY_GATEWAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a history says about messages nobody asked for."""

    messages: tuple[UnaskedMessage, ...]
    """Oldest first."""

    claimed: frozenset[str]
    """Runs that somebody asked for, that a job was, or that this client follows."""

    unclear: frozenset[str]
    """Runs that began before the rows there are: what started them is not known."""


def read_history(history: JsonObject, session_key: str, follows: Callable[[str], bool]) -> Reading:
    """Find the messages nobody asked for. `follows` tells which runs this client has followed."""
    reader = _HistoryReader(session_key, follows, is_cut=history.get("hasMore") is True)
    for row in map(as_object, as_list(history.get("messages"))):
        reader.read(row)
    return reader.result(frozenset(active_runs(history)))


@dataclass(slots=True, kw_only=True)
class _Run:
    """What the rows of one run say."""

    is_asked: bool = False
    """By somebody; or it is told as the job it was, or was stopped."""

    is_followed: bool = False
    """By this client."""

    is_unclear: bool = False
    has_ended: bool = False
    message: UnaskedMessage | None = None
    """What it has said so far."""

    @property
    def is_claimed(self) -> bool:
        """Whether its message is no news."""
        return self.is_asked or self.is_followed


class _HistoryReader:
    """Reads rows in their order."""

    def __init__(self, session_key: str, follows: Callable[[str], bool], *, is_cut: bool) -> None:
        self._session_key = session_key
        self._follows = follows
        self._is_cut = is_cut
        """Nothing is known of what came before; until the first prompt."""

        self._runs: dict[str, _Run] = {}
        self._others: list[UnaskedMessage] = []
        self._last: str | None = None
        """The run the last row belongs to."""

        self._begins_job = False
        """The next run is that of a job, whose prompt has another id than the run."""

    def read(self, row: JsonObject) -> None:
        """Read the next row."""
        key = as_text(row.get("idempotencyKey")) or ""
        if key.endswith(USER_KEY):
            self._read_prompt(key.removesuffix(USER_KEY), as_object(row.get("provenance")))
        elif row.get("role") == "assistant" and not row.get("provenance"):
            self._read_answer(row, key)

    def result(self, active: frozenset[str]) -> Reading:
        """Return what was found; runs that go on have not said their message yet."""
        told = [
            run.message
            for run_id, run in self._runs.items()
            if run.message is not None and run.has_ended and run_id not in active
            if not (run.is_claimed or run.is_unclear)
        ]
        messages = [message for message in (*told, *self._others) if message.has_content]
        return Reading(
            messages=tuple(sorted(messages, key=lambda message: message.at)),
            claimed=frozenset(key for key, run in self._runs.items() if run.is_claimed),
            unclear=frozenset(key for key, run in self._runs.items() if run.is_unclear),
        )

    def _read_prompt(self, run_id: str, provenance: JsonObject) -> None:
        before = self._runs.get(self._last or "")
        self._is_cut = False
        run = self._run(run_id)
        run.is_unclear = False
        self._begins_job = provenance.get("sourceTool") == CRON
        if as_text(provenance.get("kind")) not in _OF_GATEWAY:
            run.is_asked = True
        elif provenance.get("sourceTool") == RESTART_RECOVERY and before is not None:
            # It goes on with the turn that was interrupted.
            run.is_followed = run.is_followed or (before.is_followed and not before.has_ended)
        self._last = run_id

    def _read_answer(self, row: JsonObject, key: str) -> None:
        mark = as_object(row.get("__openclaw"))
        run_id, row_id = as_text(mark.get("runId")), as_text(mark.get("id"))
        message = self._message(row, run_id or "")
        if row.get("model") == _MIRROR:
            if run_id is not None and key.startswith(f"{run_id}:"):
                self._others.append(message.as_further())
        elif run_id is not None:
            self._say(run_id, row, message)
        elif row.get("model") == _BY_GATEWAY and row_id is not None and not key:
            found = replace(message, run_id=None, message_id=f"{INJECTED}{row_id}")
            self._others.append(_as_injected(found))

    def _say(self, run_id: str, row: JsonObject, message: UnaskedMessage) -> None:
        """Add what a row says to what its run has said before it."""
        is_job = self._begins_job and run_id not in self._runs
        run = self._run(run_id)
        if is_job:
            run.is_asked, self._begins_job = True, False
        if run.message is not None:
            texts = (run.message.text, message.text)
            links = dict.fromkeys((*run.message.links, *message.links))
            text = SEPARATOR.join(text for text in texts if text)
            message = replace(message, text=text, links=tuple(links))
        run.message = message
        run.has_ended = run.has_ended or as_text(row.get("stopReason")) in _ENDED
        if row.get("openclawAbort"):
            # Somebody did not want to hear the rest.
            run.is_asked = True
        self._last = run_id

    def _run(self, run_id: str) -> _Run:
        new = _Run(
            is_asked=run_id.startswith(CONSULT),
            is_followed=self._follows(run_id),
            is_unclear=self._is_cut,
        )
        return self._runs.setdefault(run_id, new)

    def _message(self, row: JsonObject, run_id: str) -> UnaskedMessage:
        text, links = _said(row)
        return UnaskedMessage(
            session_key=self._session_key,
            agent_id=agent_of(self._session_key),
            run_id=run_id,
            message_id=run_id,
            text=text,
            links=links,
            at=moment(row.get("timestamp")) or datetime.fromtimestamp(0, UTC),
        )


def _said(message: JsonObject) -> tuple[str, tuple[str, ...]]:
    """Return the text of a message, and the addresses of media that belong to it."""
    text, links = split_media(text_of(message.get("content")))
    return text.strip(), tuple(dict.fromkeys((*message_links(message), *links)))


def _as_injected(message: UnaskedMessage) -> UnaskedMessage:
    """Return a message that was put into a session, with its label apart."""
    found = _LABELLED.match(message.text)
    if found is None:
        return replace(message, run_id=None)
    return replace(message, run_id=None, label=found[1], text=message.text[found.end() :])

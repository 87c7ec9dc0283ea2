"""The approvals capability: what an agent may do only when somebody lets it.

Source: gateway protocol 4, "Tools, approvals, questions". An approval is told to the device whose
run needs it, and to administrators; `list` has only those that this device may decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import re
from typing import Final, Self
import unicodedata

from .errors import ApprovalGoneError, RequestError, WrongDecisionError
from .frames import ROWS, JsonObject, as_list, as_object, as_text, moment
from .redact import MAX_LENGTH, redact
from .status import Requester

ALLOW_ONCE: Final = "allow-once"
DENY: Final = "deny"

MAX_COMMAND: Final = 4_000
"""Characters of a command that are kept. People decide by what they see: more than of a message."""

MAX_TITLE: Final = 200
"""Characters of a title; notifications keep no more."""

MAX_LABEL: Final = 80
"""Characters of a decision, a risk, a kind of host."""

MAX_RISKS: Final = 20

_READ_FACTOR: Final = 8
"""How many times more characters are looked at than are kept."""

_DEFAULT_DECISIONS: Final = (ALLOW_ONCE, "allow-always", DENY)
"""What the gateway takes when a request does not say. Source: gateway 2026.9.6."""

_GONE: Final = frozenset({"APPROVAL_NOT_FOUND", "APPROVAL_ALREADY_RESOLVED"})
"""`details.reason` of a refusal because nothing is to be decided any more."""

_UNAVAILABLE: Final = re.compile(r"APPROVAL_\w+_UNAVAILABLE")
"""The same because a decision is not possible, which a request does not always say."""

_WORD: Final = re.compile(rf"[a-z][a-z0-9_-]{{0,{MAX_LABEL}}}", re.ASCII | re.IGNORECASE)


class ApprovalKind(StrEnum):
    """What is to be approved."""

    EXEC = "exec"
    """A command on a host."""

    PLUGIN = "plugin"
    """Something a plugin of the gateway is about to do."""


_WANTED: Final[Mapping[ApprovalKind, tuple[str, ...]]] = {
    ApprovalKind.EXEC: ("command",),
    ApprovalKind.PLUGIN: ("description", "detail"),
}
"""Where a request says what is to be done."""

APPROVAL_REQUESTED: Final[Mapping[str, ApprovalKind]] = {
    f"{kind}.approval.requested": kind for kind in ApprovalKind
}
"""Events of the gateway that bring an approval."""

APPROVAL_RESOLVED: Final[Mapping[str, ApprovalKind]] = {
    f"{kind}.approval.resolved": kind for kind in ApprovalKind
}
"""Events of the gateway that tell that an approval is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Something an agent wants to do, and that waits for a decision."""

    id: str
    kind: ApprovalKind
    title: str = field(default="", repr=False)
    """What it is in a word or two: the program, or what the plugin calls it."""

    command: str = field(default="", repr=False)
    """What is to be done: the command, or the plugin's description; masked and bounded."""

    is_cut: bool = False
    """`command` is not all of it: cut, or masked, and a mask may hide more than a secret.

    So it is with what cannot be read, and with the title of what a plugin wants.

    Nobody should allow it without looking at the gateway.
    """

    cwd: str | None = field(default=None, repr=False)
    host: str | None = None
    risks: tuple[str, ...] = ()
    """The gateway's words for what is risky about a command."""

    severity: str | None = None
    """The plugin's word: `info`, `warning` or `critical`."""

    warning: str | None = field(default=None, repr=False)
    decisions: tuple[str, ...] = ()
    """What may be decided, the gateway's words: `allow-once`, `deny`, …"""

    agent_id: str | None = None
    session_key: str | None = None
    run_id: str | None = None
    created: datetime
    """UTC."""

    expires: datetime
    """When the gateway denies it by itself (UTC)."""

    @classmethod
    def from_payload(cls, kind: ApprovalKind, payload: JsonObject) -> Self | None:
        """Read a request or a row of a list, None when it lacks what an answer needs."""
        approval_id = as_text(payload.get("id"))
        created, expires = moment(payload.get("createdAtMs")), moment(payload.get("expiresAtMs"))
        if approval_id is None or created is None or expires is None:
            return None
        request = as_object(payload.get("request"))
        analysis = as_object(request.get("commandAnalysis"))
        title, wanted = _title(kind, request), _wanted(kind, request)
        return cls(
            id=approval_id,
            kind=kind,
            title=_shown(title, MAX_TITLE),
            command=_shown(wanted, MAX_COMMAND),
            is_cut=not (
                _is_readable(kind, request)
                and _is_shown_whole(wanted, MAX_COMMAND)
                and (kind is ApprovalKind.EXEC or _is_shown_whole(title, MAX_TITLE))
            ),
            cwd=_optional(request.get("cwd")),
            host=_optional(request.get("host"), MAX_LABEL),
            risks=_risks(analysis),
            severity=_optional(request.get("severity"), MAX_LABEL),
            warning=_warning(request, analysis),
            decisions=_decisions(request),
            agent_id=as_text(request.get("agentId")),
            session_key=as_text(request.get("sessionKey")),
            run_id=as_text(request.get("runId")),
            created=created,
            expires=expires,
        )

    def check(self, decision: str) -> None:
        """Check that a decision is one of those that are offered.

        Raises:
            WrongDecisionError: It is not.
        """
        if decision not in self.decisions:
            raise WrongDecisionError("the decision is not offered", offered=self.decisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResolved:
    """An approval is over, whoever decided it."""

    id: str
    kind: ApprovalKind
    decision: str | None
    """The gateway's word; None when nobody decided in time."""

    resolved_by: str | None = None
    """What the gateway calls the client that decided."""

    at: datetime
    """UTC."""

    approval: Approval | None = None
    """What it was about, when the gateway repeats it."""

    @classmethod
    def from_payload(cls, kind: ApprovalKind, payload: JsonObject, *, now: datetime) -> Self | None:
        """Read the event, None when it does not say which one; `now` where it has no time."""
        approval_id = as_text(payload.get("id"))
        if approval_id is None:
            return None
        # The event repeats what was asked without its times, which do not matter any more.
        stamps = {"createdAtMs": payload.get("ts"), "expiresAtMs": payload.get("ts")}
        has_request = bool(as_object(payload.get("request")))
        return cls(
            id=approval_id,
            kind=kind,
            decision=_optional(payload.get("decision"), MAX_LABEL),
            resolved_by=_optional(payload.get("resolvedBy"), MAX_LABEL),
            at=moment(payload.get("ts")) or now,
            approval=Approval.from_payload(kind, stamps | payload) if has_request else None,
        )


class Approvals:
    """Reads and decides approvals. Every method raises what `request` raises."""

    def __init__(self, requester: Requester) -> None:
        """Ask through `requester`."""
        self._requester = requester

    async def list(self) -> tuple[Approval, ...]:
        """Return what waits for a decision of this device, the oldest first.

        An older gateway may know one kind only.
        """
        found: list[Approval] = []
        refusals: list[RequestError] = []
        for kind in ApprovalKind:
            try:
                payload = await self._requester.request(f"{kind}.approval.list", {})
            except RequestError as err:
                refusals.append(err)
                if not err.is_forbidden or len(refusals) == len(ApprovalKind):
                    raise
                continue
            rows = map(as_object, as_list(payload.get(ROWS)))
            read = (Approval.from_payload(kind, row) for row in rows)
            found.extend(approval for approval in read if approval is not None)
        return tuple(sorted(found, key=lambda approval: approval.created))

    async def resolve(self, approval: Approval, decision: str) -> None:
        """Decide. The same decision once more is no error.

        Raises:
            WrongDecisionError: It is not offered; nothing was done.
            ApprovalGoneError: It is decided otherwise, expired, or another device's.
        """
        approval.check(decision)
        params = {"id": approval.id, "decision": decision}
        try:
            await self._requester.request(f"{approval.kind}.approval.resolve", params)
        except RequestError as err:
            if err.detail_code in _GONE:
                raise ApprovalGoneError("the approval waits no longer") from err
            if _UNAVAILABLE.fullmatch(err.detail_code or ""):
                offered = tuple(each for each in approval.decisions if each != decision)
                raise WrongDecisionError("the decision is not offered", offered=offered) from err
            raise


def _title(kind: ApprovalKind, request: JsonObject) -> str:
    if kind is ApprovalKind.PLUGIN:
        return as_text(request.get("title")) or ""
    path = as_text(request.get("resolvedPath")) or ""
    return path.replace("\\", "/").rpartition("/")[2]


def _wanted(kind: ApprovalKind, request: JsonObject) -> str:
    return "\n".join(filter(None, (as_text(request.get(name)) for name in _WANTED[kind])))


def _is_readable(kind: ApprovalKind, request: JsonObject) -> bool:
    """Tell whether what is to be done is there, in texts without halves of characters."""
    names = _WANTED[kind] if kind is ApprovalKind.EXEC else ("title", *_WANTED[kind])
    told = [value for name in names if (value := request.get(name)) not in (None, "")]
    return all(as_text(value) == value for value in told) and bool("".join(map(str, told)).strip())


def _warning(request: JsonObject, analysis: JsonObject) -> str | None:
    lines = [request.get("warningText"), *as_list(analysis.get("warningLines"))]
    told = dict.fromkeys(filter(None, map(as_text, lines)))
    return _optional("\n".join(told))


def _risks(analysis: JsonObject) -> tuple[str, ...]:
    told = (_optional(risk, MAX_LABEL) for risk in as_list(analysis.get("riskKinds")))
    return tuple(dict.fromkeys(filter(None, told)))[:MAX_RISKS]


def _decisions(request: JsonObject) -> tuple[str, ...]:
    offered = _words(request.get("allowedDecisions")) or _DEFAULT_DECISIONS
    unavailable = _words(request.get("unavailableDecisions"))
    return tuple(decision for decision in offered if decision not in unavailable)


def _words(value: object) -> tuple[str, ...]:
    """Return the plain words of an array: names of the gateway, not sentences."""
    words = filter(None, map(as_text, as_list(value)))
    return tuple(dict.fromkeys(word for word in words if _WORD.fullmatch(word)))


def _optional(value: object, limit: int = MAX_LENGTH) -> str | None:
    text = as_text(value)
    return None if text is None else _shown(text, limit)


def _shown(text: str, limit: int = MAX_LENGTH) -> str:
    """Return a text as it is shown: masked, cut, and without signs that hide or turn others."""
    return redact(_visible_text(text[: _READ_FACTOR * limit]), limit)


def _is_shown_whole(text: str, limit: int) -> bool:
    return len(text) <= limit and _shown(text, limit) == _visible_text(text)


def _visible_text(text: str) -> str:
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf"):
        return character
    return "\N{REPLACEMENT CHARACTER}"

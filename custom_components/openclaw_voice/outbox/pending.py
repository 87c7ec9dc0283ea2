"""Which requests of the gateway wait for people (pure).

A list of the gateway takes a while to come. What is told meanwhile counts more than what it says.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ..gateway.approvals import Approval
from ..gateway.questions import AgentQuestion
from .notification import Notification
from .notifications import of_approval, of_question

type OpenRequest = Approval | AgentQuestion

MAX_PENDING: Final = 200
"""Requests that are kept; the oldest go first."""

MAX_KNOWN: Final = 1_000
"""Requests of which is remembered what they were about, also when they are over."""

QUESTION: Final = "question"
"""The kind of what is no approval."""


def kind_of(request: OpenRequest) -> str:
    """Return what a request is, as automations name it: the kind of an approval, or a question."""
    return QUESTION if isinstance(request, AgentQuestion) else request.kind.value


def told(request: OpenRequest) -> Notification:
    """Return what people are told of a request."""
    return of_approval(request) if isinstance(request, Approval) else of_question(request)


class Pending:
    """The requests that wait, by id, the oldest first."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._requests: dict[str, OpenRequest] = {}
        self._known: dict[str, object] = {}
        """What each id stands for."""

        self._asked: set[str] = set()
        """What came while a list was under way."""

        self._over: set[str] | None = None
        """What ended while a list was under way; None while none is."""

    @property
    def all(self) -> tuple[OpenRequest, ...]:
        """What waits, the oldest first."""
        return tuple(sorted(self._requests.values(), key=lambda request: request.created))

    @property
    def next_expiry(self) -> datetime | None:
        """When the next one expires (UTC)."""
        return min((request.expires for request in self._requests.values()), default=None)

    def get(self, request_id: str) -> OpenRequest | None:
        """Return one that waits."""
        return self._requests.get(request_id)

    def add(self, request: OpenRequest) -> None:
        """Note that one came."""
        if self._over is not None:
            self._asked.add(request.id)
        self._keep(request)

    def remove(self, request_id: str) -> bool:
        """Note that one is over; return whether it was known."""
        if self._over is not None:
            self._over.add(request_id)
        return self._requests.pop(request_id, None) is not None

    def expire(self, now: datetime) -> bool:
        """Let those go that have expired; return whether there were any."""
        expired = [request.id for request in self._requests.values() if request.expires <= now]
        for request_id in expired:
            self.remove(request_id)
        return bool(expired)

    def begin_list(self) -> None:
        """Note that lists are asked for."""
        self._asked, self._over = set(), set()

    def end_list(self, kind: type[Approval | AgentQuestion], listed: Iterable[OpenRequest]) -> bool:
        """Take a list of one kind: what is not in it is over. Return whether anything changed."""
        over = self._over or set()
        before = dict(self._requests)
        new = {request.id: request for request in listed if request.id not in over}
        for request_id, request in before.items():
            if isinstance(request, kind) and request_id not in new.keys() | self._asked:
                del self._requests[request_id]
        for request in new.values():
            self._keep(request)
        return self._requests != before

    def leave_list(self) -> None:
        """Note that no list is under way any more."""
        self._asked, self._over = set(), None

    def _keep(self, request: OpenRequest) -> None:
        """Keep a request, unless people know another one by its id: they would answer that."""
        sense = _sense(request)
        if self._known.setdefault(request.id, sense) != sense:
            self._requests.pop(request.id, None)
            return
        self._requests[request.id] = request
        if len(self._requests) > MAX_PENDING:
            del self._requests[self.all[0].id]
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]


def _sense(request: OpenRequest) -> object:
    """Return what makes a request what it is for people."""
    if isinstance(request, Approval):
        return request.kind, request.created, request.title, request.command
    return request.created, request.parts

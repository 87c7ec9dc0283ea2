"""What waits for people on a gateway: approvals of this device, questions of our sessions.

Told by events, and by lists after every connect, because what happened without a connection is not
told again. A request goes as soon as anybody has answered it, or when it expires.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from ..gateway.approvals import (
    APPROVAL_REQUESTED,
    APPROVAL_RESOLVED,
    Approval,
    ApprovalResolved,
)
from ..gateway.callbacks import Listeners
from ..gateway.client import GatewayClient
from ..gateway.errors import (
    ApprovalGoneError,
    GatewayError,
    MissingRightsError,
    QuestionGoneError,
    RequestError,
    RequestTimeoutError,
)
from ..gateway.frames import GatewayEvent, moment
from ..gateway.models import APPROVALS, QUESTIONS
from ..gateway.questions import (
    QUESTION_REQUESTED,
    QUESTION_RESOLVED,
    AgentQuestion,
    QuestionResolved,
)
from ..gateway.state import ClientSnapshot, ClientState
from .notifications import is_for_us
from .pending import OpenRequest, Pending, told

LIST_LIMIT: Final = 10.0
"""Seconds an answer waits for the lists that follow a connect."""

RETRY_WAIT: Final = 30.0
"""Seconds until a list is asked for again that did not come although there is a connection."""

_TICK: Final = "tick"

MAX_AHEAD: Final = timedelta(days=36_500)
"""How wrong a clock can be: one without a battery begins in 1970."""

LONGEST: Final = timedelta(days=1)
"""The longest timer; a request that waits longer is looked at again."""


class OpenRequests:
    """The approvals and questions of one gateway that wait for an answer."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: GatewayClient,
        *,
        is_ours: Callable[[str], bool],
    ) -> None:
        """Nothing is asked before `async_start`.

        Args:
            hass: Home Assistant.
            entry: Owns what runs in the background.
            client: The client of the entry.
            is_ours: Whether a session belongs to this Home Assistant.
        """
        self._hass = hass
        self._entry = entry
        self._client = client
        self._is_ours = is_ours
        self._requests = Pending()
        self._listeners = Listeners[[]]()
        self._stops: list[CALLBACK_TYPE] = []
        self._connected_since: datetime | None = None
        self._ahead = timedelta()
        """How far our clock is ahead of the gateway's."""

        self._listing: asyncio.Task[None] | None = None
        self._is_outdated = False
        """Something was missed since the lists were asked for that are under way."""

        self._listed = asyncio.Event()
        self._stop_timer: CALLBACK_TYPE | None = None

    @property
    def is_told(self) -> bool:
        """Whether the gateway tells us of anything that waits, as far as rights go."""
        return not all(map(self._lacks, (APPROVALS, QUESTIONS)))

    @property
    def pending(self) -> tuple[OpenRequest, ...]:
        """What waits for an answer, the oldest first."""
        return self._requests.all

    def get(self, request_id: str) -> OpenRequest | None:
        """Return one that waits, by its id."""
        return self._requests.get(request_id)

    def concerns_us(self, request: OpenRequest) -> bool:
        """Return whether a request is for people here; those that are not told are not."""
        return is_for_us(told(request), self._is_ours)

    @callback
    def async_start(self) -> None:
        """Follow the gateway, and ask what waits already."""
        self._stops = [
            self._client.subscribe_events(self._on_event),
            self._client.subscribe(self._on_snapshot),
        ]
        self._on_snapshot(self._client.snapshot)

    @callback
    def async_stop(self) -> None:
        """Follow it no longer. Idempotent."""
        while self._stops:
            self._stops.pop()()
        if self._listing is not None:
            self._listing.cancel()
        self._cancel_timer()

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` whenever something came or is over; return what ends that."""
        return self._listeners.add(listener)

    async def async_pending(self) -> tuple[OpenRequest, ...]:
        """Return what waits, once that is certain.

        Raises:
            NotConnectedError, RequestTimeoutError: It is not known.
            MissingRightsError: We are told of nothing that waits.
        """
        await self._async_listed()
        if not self.is_told:
            raise _missing_right(APPROVALS, QUESTIONS)
        self._expire(dt_util.utcnow())
        return self.pending

    async def async_resolve(self, approval_id: str, decision: str) -> Approval:
        """Decide an approval; it is over then. Return it.

        Raises:
            ApprovalGoneError: None with this id waits.
            WrongDecisionError: It does not offer the decision; nothing was sent.
            MissingRightsError: We are told of none.
            GatewayError: Unknown whether it was decided.
        """
        approval = await self._async_find(approval_id)
        if not isinstance(approval, Approval):
            if self._lacks(APPROVALS):
                raise _missing_right(APPROVALS)
            raise ApprovalGoneError("no such approval waits")
        approval.check(decision)
        await self._async_end(approval.id, self._client.approvals.resolve(approval, decision))
        return approval

    async def async_answer(
        self, question_id: str, answers: Mapping[str, Sequence[str]] | Sequence[str]
    ) -> AgentQuestion:
        """Answer a question, by part, or its only part; it is over then. Return it.

        Raises:
            QuestionGoneError: None with this id waits.
            WrongAnswerError: The answers do not fit; nothing was sent.
            MissingRightsError: We are told of none.
            GatewayError: Unknown whether it was answered.
        """
        question = await self._async_find_question(question_id)
        if isinstance(answers, str):
            answers = [answers]
        if not isinstance(answers, Mapping):
            answers = {question.parts[0].id: answers}
        checked = question.checked(answers)
        await self._async_end(question.id, self._client.questions.answer(question.id, checked))
        return question

    async def async_cancel(self, question_id: str) -> AgentQuestion:
        """Leave a question unanswered: the agent goes on without. Return it.

        Raises:
            QuestionGoneError: None with this id waits.
            MissingRightsError: We are told of none.
            GatewayError: Unknown whether it was withdrawn.
        """
        question = await self._async_find_question(question_id)
        await self._async_end(question.id, self._client.questions.cancel(question.id))
        return question

    def _lacks(self, scope: str) -> bool:
        hello = self._client.snapshot.hello
        return hello is not None and scope not in hello.scopes

    async def _async_find_question(self, question_id: str) -> AgentQuestion:
        question = await self._async_find(question_id)
        if not isinstance(question, AgentQuestion):
            if self._lacks(QUESTIONS):
                raise _missing_right(QUESTIONS)
            raise QuestionGoneError("no such question waits")
        return question

    async def _async_find(self, request_id: str) -> OpenRequest | None:
        """Return one that waits; None only when it is certain that it does not."""
        if self._requests.get(request_id) is None:
            await self._async_listed()
        self._expire(dt_util.utcnow())
        return self._requests.get(request_id)

    async def _async_listed(self) -> None:
        """Wait until it is known what waits."""
        _ = self._client.connection  # Raises when there is none.
        try:
            async with asyncio.timeout(LIST_LIMIT):
                await self._listed.wait()
        except TimeoutError:
            raise RequestTimeoutError("what waits is not known yet") from None

    async def _async_end(self, request_id: str, sending: Awaitable[None]) -> None:
        """Send an answer. The request is over then, also when somebody was faster."""
        try:
            await sending
        except ApprovalGoneError, QuestionGoneError:
            self._remove(request_id)
            raise
        self._remove(request_id)

    # what the gateway tells

    @callback
    def _on_snapshot(self, snapshot: ClientSnapshot) -> None:
        """Ask what waits, once for every connection."""
        if snapshot.state is not ClientState.READY:
            self._connected_since = None
            self._listed.clear()
        elif snapshot.connected_since != self._connected_since:
            self._connected_since = snapshot.connected_since
            self._list()

    def _list(self) -> None:
        """Ask what waits; until it has come, what is told counts more."""
        self._listed.clear()
        if self._listing is not None:
            self._listing.cancel()
        name = f"openclaw_voice open requests {self._entry.entry_id}"
        self._listing = self._entry.async_create_background_task(
            self._hass, self._async_list(), name
        )

    def _list_again(self) -> None:
        """Ask once more; lists that are under way come first: there may be many reasons to ask."""
        if self._listing is None or self._listing.done():
            self._list()
        else:
            self._is_outdated = True

    async def _async_list(self) -> None:
        """Ask until both lists have come, or the connection is lost: the next one asks anew."""
        while self._connected_since is not None:
            self._is_outdated = False
            self._requests.begin_list()
            try:
                await self._async_list_kind(Approval, self._client.approvals.list)
                await self._async_list_kind(AgentQuestion, self._client.questions.list)
            except GatewayError:
                await asyncio.sleep(RETRY_WAIT)
                continue
            if self._is_outdated:
                continue
            self._requests.leave_list()
            self._listed.set()
            return

    async def _async_list_kind[R: (Approval, AgentQuestion)](
        self, kind: type[R], ask: Callable[[], Awaitable[tuple[R, ...]]]
    ) -> None:
        listed: tuple[R, ...] = ()
        try:
            listed = await ask()
        except RequestError as err:
            if not err.is_for_good:
                raise
        if self._requests.end_list(kind, filter(self.concerns_us, listed)):
            self._changed()

    @callback
    def _on_event(self, event: GatewayEvent) -> None:
        if event.is_after_gap:
            # What the gateway has dropped is told by nobody else.
            self._list_again()
        if event.name == _TICK:
            self._note_clock(moment(event.payload.get("ts")))
        elif (kind := APPROVAL_REQUESTED.get(event.name)) is not None:
            self._add(Approval.from_payload(kind, event.payload))
        elif (kind := APPROVAL_RESOLVED.get(event.name)) is not None:
            self._over(ApprovalResolved.from_payload(kind, event.payload, now=dt_util.utcnow()))
        elif event.name == QUESTION_REQUESTED:
            self._add(AgentQuestion.from_payload(event.payload))
        elif event.name == QUESTION_RESOLVED:
            self._over(QuestionResolved.from_payload(event.payload, now=dt_util.utcnow()))

    def _add(self, request: OpenRequest | None) -> None:
        if request is not None and self.concerns_us(request):
            self._requests.add(request)
            self._changed()

    def _over(self, resolved: ApprovalResolved | QuestionResolved | None) -> None:
        if resolved is not None:
            self._remove(resolved.id)

    def _remove(self, request_id: str) -> None:
        if self._requests.remove(request_id):
            self._changed()

    def _note_clock(self, at: datetime | None) -> None:
        """Take note of the gateway's clock, by which requests expire."""
        ahead = timedelta() if at is None else dt_util.utcnow() - at
        if at is not None and abs(ahead) <= MAX_AHEAD:
            self._ahead = ahead
            self._set_timer()

    @callback
    def _on_expiry(self, now: datetime) -> None:
        self._stop_timer = None
        self._expire(now)
        self._set_timer()

    def _expire(self, now: datetime) -> None:
        if self._requests.expire(now - self._ahead):
            self._changed()

    def _changed(self) -> None:
        self._set_timer()
        self._listeners.tell()

    def _set_timer(self) -> None:
        """Wake up when the next request expires."""
        self._cancel_timer()
        if (at := self._requests.next_expiry) is not None:
            now = dt_util.utcnow()
            wait = min(max(at - (now - self._ahead), timedelta()), LONGEST)
            self._stop_timer = async_track_point_in_utc_time(
                self._hass, self._on_expiry, now + wait
            )

    def _cancel_timer(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None


def _missing_right(*scopes: str) -> MissingRightsError:
    return MissingRightsError("what waits for people is not told", missing=scopes)

"""Reads the frames of one run and tells what to hand out (pure).

Source: gateway protocol 4, "Events of a run", "Terminal states" and "agent"; the recordings of
`agent` runs.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from .errors import EmptyAnswerError, GatewayError, RunFailedError
from .frames import (
    ErrorShape,
    GatewayEvent,
    JsonObject,
    Response,
    as_list,
    as_object,
    as_text,
)
from .questions import QUESTION_REQUESTED, AgentQuestion
from .recovery import RunFate, RunTrace
from .redact import redact
from .run_items import (
    ApprovalAwaited,
    ChatDelta,
    ChatFinal,
    MessageStarted,
    QuestionAsked,
    RunItem,
    RunOutcome,
    ToolActivity,
)
from .run_media import RunMedia, links_of, message_links, split_media
from .run_request import RunMethod
from .run_text import SEPARATOR, RunText
from .run_tools import RunTools

SILENT_REPLY: Final = "NO_REPLY"
"""What a model says when it decides not to answer."""

MAX_ASKED: Final = 32
"""Approvals and questions of one run that are told; a run that asks for more asks in vain here."""

_INTERIM: Final = frozenset({"accepted", "in_flight", "started", "pending"})
"""Statuses of an `agent` response that is not its last one."""


class RunReader:
    """Collects one run. Feed it frames, take items, look at `final` and `error`."""

    def __init__(self, method: RunMethod = RunMethod.AGENT, *, is_resumed: bool = False) -> None:
        """Start with nothing said.

        Args:
            method: How the run was started.
            is_resumed: Its beginning was missed, so what it says is handed out whole, at its end.
        """
        self.items: deque[RunItem] = deque()
        """What is to be handed out next."""

        self.final: ChatFinal | None = None
        self.error: GatewayError | None = None
        self.needs_response = False
        """The run has ended, and its events do not tell how: the gateway has to be asked."""

        self.waits_for_approval = False
        """A tool waits until a person allows it."""

        self._asked: set[str | None] = set()
        """Ids of the approvals and questions that were told."""

        self._is_single = method is RunMethod.CHAT_SEND
        self._is_resumed = is_resumed
        self._text = RunText(self._on_text)
        self._uses_chat_text = False
        self._disposition: str | None = None
        self._failure: RunFailedError | None = None
        self._media = RunMedia()
        self._tools = RunTools(self.items.append, on_start=self._text.close_message)

    @property
    def has_ended(self) -> bool:
        """Whether the outcome is known."""
        return self.final is not None or self.error is not None

    def take(self) -> RunItem | None:
        """Return the next item, None when there is none."""
        if not self.items:
            return None
        item = self.items.popleft()
        if isinstance(item, ToolActivity):
            self._tools.on_taken()
        return item

    def read_event(self, event: GatewayEvent) -> None:
        """Read one event of this run: `chat`, `agent` or a question. None counts after the end."""
        if self.has_ended:
            return
        match event.name:
            case "chat":
                self._read_chat(event.payload)
            case name if name == QUESTION_REQUESTED:
                self._read_question(event.payload)
            case _:
                self._read_agent(event.payload)

    def read_response(self, response: Response) -> bool:
        """Read a response of the request; return whether it is the last one."""
        if self._is_single:
            self._read_reply(response)
            return True
        status = as_text(response.payload.get("status"))
        if response.error is None and status in _INTERIM:
            return False
        if self.has_ended:
            return True
        if response.error is not None:
            self._fail(self._refusal(response, response.error))
        elif status == "ok":
            self._read_answer(response.payload)
        elif status == "timeout":
            self._read_stop(response.payload)
        else:
            self._read_no_answer(response.payload)
        return True

    def read_trace(self, trace: RunTrace) -> None:
        """Take the end of the run from the gateway's history, if the history has it."""
        if self.has_ended:
            return
        match trace.fate:
            case RunFate.ANSWERED:
                text, links = split_media(trace.text)
                self._answer(text, links)
                if not self.has_ended:
                    self._fail(EmptyAnswerError("the history has no text"))
            case RunFate.ABORTED:
                self._finish(RunOutcome.ABORTED, split_media(trace.text)[0])
            case RunFate.SILENT:
                self._finish(RunOutcome.SILENT, "")
            case RunFate.EMPTY:
                self._fail(EmptyAnswerError("the model answered nothing"))
            case RunFate.FAILED:
                self._fail(self._failure or RunFailedError("the run failed while nobody listened"))

    def stop(self) -> None:
        """Nothing more is read of this run: what was said is all."""
        if not self.has_ended:
            self._finish(RunOutcome.ABORTED, self._text.whole)

    def restart(self) -> None:
        """The gateway starts the turn over under another run id: what it said before is void."""
        self._tools.end_all()
        self._text.restart()
        self._media.restart()
        self._uses_chat_text = False
        self._disposition = None
        self.needs_response = False
        self._failure = None

    def give_up_on_response(self) -> None:
        """The last response does not come: settle with what the events have told."""
        if self.has_ended:
            return
        self._settle_without_text(self._failure or EmptyAnswerError("the run ended without a text"))

    # chat events

    def _read_chat(self, payload: JsonObject) -> None:
        match payload.get("state"):
            case "delta":
                self._read_chat_delta(payload)
            case "final":
                self._read_chat_final(payload)
            case "aborted":
                self._read_chat_aborted(payload)
            case "error":
                self._read_chat_error(_failure(payload))

    def _read_chat_delta(self, payload: JsonObject) -> None:
        # The same text came in an `assistant` frame up to 50 ms ago, unless there was none.
        if self._is_resumed or (self._text.has_messages and not self._uses_chat_text):
            return
        text = _message_text(payload)
        if text is not None:
            self._uses_chat_text = True
            self._text.say(None, text)

    def _read_chat_final(self, payload: JsonObject) -> None:
        message = as_object(payload.get("message"))
        self._answer(
            _message_text(payload),
            message_links(message),
            is_from_gateway=message.get("model") == "gateway-injected"
            or message.get("provider") == "openclaw",
        )
        self.needs_response = not self.has_ended

    def _read_chat_aborted(self, payload: JsonObject) -> None:
        text = self._or_said(_message_text(payload))
        if text or payload.get("stopReason") != "stop":
            self._finish(RunOutcome.ABORTED, text)
        elif self._disposition is not None:
            self._settle_without_text(EmptyAnswerError("the model answered nothing"))
        else:
            # Not stopped by anybody: the model answered nothing, or decided not to answer.
            self.needs_response = True

    def _read_chat_error(self, failure: RunFailedError) -> None:
        self._failure = failure
        if self._disposition is not None or (self._is_single and not self.needs_response):
            self._settle_without_text(self._failure)
        else:
            # An `agent` run without an answer ends like this, too.
            self.needs_response = True

    # agent events

    def _read_agent(self, payload: JsonObject) -> None:
        data = as_object(payload.get("data"))
        match payload.get("stream"):
            case "assistant":
                self._read_assistant(data)
            case "tool":
                self._tools.read_tool(data)
            case "item" if data.get("kind") == "tool" and data.get("phase") == "end":
                self._tools.read_end(data)
            case "lifecycle":
                self._read_lifecycle(data)

    def _read_assistant(self, data: JsonObject) -> None:
        item_id, takes_back = as_text(data.get("itemId")), data.get("replace") is True
        self._media.hear(item_id, data, takes_back=takes_back)
        text = data.get("text")
        if isinstance(text, str) and not self._uses_chat_text and not self._is_resumed:
            self._text.say(item_id, text, takes_back=takes_back)

    def _read_lifecycle(self, data: JsonObject) -> None:
        self.waits_for_approval = data.get("phase") == "waiting-approval"
        if self.waits_for_approval:
            approval_id = as_text(data.get("approvalId"))
            self._ask(approval_id, ApprovalAwaited(approval_id))
        # Comes just before the `chat` frame that a run without a visible answer ends with.
        reply = as_object(data.get("terminalReply"))
        if reply.get("disposition") in ("silent", "empty"):
            self._disposition = reply["disposition"]

    # what waits for people

    def _read_question(self, payload: JsonObject) -> None:
        question = AgentQuestion.from_payload(payload)
        if question is not None:
            self._ask(question.id, QuestionAsked(question))

    def _ask(self, request_id: str | None, item: ApprovalAwaited | QuestionAsked) -> None:
        """Tell once that people are needed."""
        if request_id not in self._asked and len(self._asked) < MAX_ASKED:
            self._asked.add(request_id)
            self.items.append(item)

    # the response of `chat.send`

    def _read_reply(self, response: Response) -> None:
        if self.has_ended:
            return
        if response.error is not None:
            self._fail(response.error.as_request_error())
        elif as_text(response.payload.get("runId")) is None:
            # The message was a stop word: it has stopped another run, and is none itself.
            self._finish(RunOutcome.SILENT, "")
        elif response.payload.get("status") not in _INTERIM:
            self.needs_response = True

    # the last response of `agent`

    def _read_answer(self, payload: JsonObject) -> None:
        result = as_object(payload.get("result"))
        payloads = [as_object(item) for item in as_list(result.get("payloads"))]
        texts = [text for item in payloads if (text := as_text(item.get("text"))) is not None]
        links = [link for item in payloads for link in links_of(item)]
        self._answer(SEPARATOR.join(texts), links)
        if not self.has_ended:
            self._read_no_answer(payload)

    def _read_stop(self, payload: JsonObject) -> None:
        if as_text(payload.get("timeoutPhase")):
            self._fail(self._failure or RunFailedError("the run took too long", kind="timeout"))
        else:
            self._finish(RunOutcome.ABORTED, self._text.whole)

    def _read_no_answer(self, payload: JsonObject) -> None:
        meta = as_object(as_object(payload.get("result")).get("meta"))
        if meta.get("finalAssistantVisibleText") == SILENT_REPLY:
            self._disposition = "silent"
        has_reason = self._failure is not None and self._failure.kind is not None
        empty = EmptyAnswerError("the model answered nothing")
        self._settle_without_text((self._failure if has_reason else None) or empty)

    def _settle_without_text(self, error: GatewayError) -> None:
        match self._disposition:
            case "silent":
                self._finish(RunOutcome.SILENT, "")
            case "empty":
                self._fail(EmptyAnswerError("the model answered nothing"))
            case _:
                self._fail(error)

    def _refusal(self, response: Response, error: ErrorShape) -> GatewayError:
        if response.payload.get("status") == "error":
            return self._failure or RunFailedError(error.message)
        return error.as_request_error()

    def _on_text(self, item: MessageStarted | ChatDelta) -> None:
        self._tools.end_all()
        last = self.items[-1] if self.items else None
        if isinstance(item, ChatDelta) and isinstance(last, ChatDelta):
            # A slow reader gets one long delta, so that what waits stays small.
            self.items[-1] = ChatDelta(last.text + item.text)
        else:
            self.items.append(item)

    # the end

    def _or_said(self, text: str | None) -> str:
        """Return a final text, or what was streamed when it has no words."""
        return text if text and text.strip() else self._text.whole

    def _answer(
        self, text: str | None, links: Iterable[str], *, is_from_gateway: bool = False
    ) -> None:
        """End the run with an answer, if there is one."""
        text, all_links = self._or_said(text), self._media.links(links)
        if text or all_links:
            self._finish(
                RunOutcome.ANSWERED, text, links=all_links, is_from_gateway=is_from_gateway
            )

    def _fail(self, error: GatewayError) -> None:
        self._tools.end_all()
        self.error = error

    def _finish(
        self,
        outcome: RunOutcome,
        text: str,
        *,
        links: tuple[str, ...] = (),
        is_from_gateway: bool = False,
    ) -> None:
        if text.strip() == SILENT_REPLY:
            outcome, text, links = RunOutcome.SILENT, "", ()
        self._tools.end_all()
        text = self._text.complete(text)
        self.final = ChatFinal(
            outcome=outcome, text=text, links=links, is_from_gateway=is_from_gateway
        )


def _failure(payload: JsonObject) -> RunFailedError:
    detail = as_object(payload.get("errorDetail"))
    return RunFailedError(
        redact(as_text(payload.get("errorMessage")) or "the run failed"),
        kind=as_text(detail.get("failoverReason")) or as_text(payload.get("errorKind")),
    )


def _message_text(payload: JsonObject) -> str | None:
    """Return the text of a `chat` message, None when there is no message."""
    message = payload.get("message")
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(
        text
        for block in map(as_object, as_list(content))
        if block.get("type") == "text" and isinstance(text := block.get("text"), str)
    )

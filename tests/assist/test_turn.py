"""What a run says becomes deltas of the chat log and a result."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from homeassistant.helpers import llm
import pytest

from custom_components.openclaw_voice.assist.turn import Turn
from custom_components.openclaw_voice.assist.turn_result import (
    AnswerStoppedError,
    TurnOutcome,
    TurnResult,
    TurnStyle,
)
from custom_components.openclaw_voice.gateway.errors import (
    GatewayError,
    NotConnectedError,
    RunLostError,
)
from custom_components.openclaw_voice.gateway.questions import AgentQuestion
from custom_components.openclaw_voice.gateway.run_items import (
    ApprovalAwaited,
    ChatDelta,
    ChatFinal,
    MessageStarted,
    QuestionAsked,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)

from .test_spoken_answer import part, question

STARTED = ToolActivity(
    call_id="t1", name="lights", phase=ToolPhase.START, arguments={"room": "den"}
)
ENDED = ToolActivity(call_id="t1", name="lights", phase=ToolPhase.END, result="on")
ANSWERED = ChatFinal(outcome=RunOutcome.ANSWERED)
TOOL_CALL = {"tool_calls": [llm.ToolInput("lights", {"room": "den"}, "t1", external=True)]}
TOOL_RESULT = {
    "role": "tool_result",
    "tool_call_id": "t1",
    "tool_name": "lights",
    "result": llm.ToolResult(data={"result": "on"}),
}


QUESTION = question(part("Kitchen", "Bath"))


class Said:
    """Sentences as short as possible."""

    async def explain(self, error: GatewayError) -> str:
        """Name the error."""
        return f"({error.category})"

    no_answer = "(no answer)"
    file = "(file)"
    approval = "(may I?)"

    def asking(self, question: AgentQuestion) -> str:
        """Ask the first part."""
        return f"*{question.parts[0].text}*"

    def holding(self, tool: str | None) -> str:
        """Name the tool."""
        return f"(later, {tool})"


class Capitals:
    """A filter that speaks in capitals, and holds back the last letter."""

    def __init__(self) -> None:
        """Nothing held back."""
        self._held = ""

    def feed(self, text: str) -> str:
        """Return all but the last letter."""
        text = self._held + text.replace("*", "").upper()
        self._held = text[-1:]
        return text[:-1]

    def finish(self) -> str:
        """Return the last letter."""
        held, self._held = self._held, ""
        return held


SPOKEN = TurnStyle(new_filter=Capitals, patience=100, total=None)


def turn_of(items: Sequence[RunItem | GatewayError], style: TurnStyle | None = None) -> Turn:
    """Return a turn whose run says `items`; an error is raised where it stands."""

    async def iterate() -> AsyncIterator[RunItem]:
        for item in items:
            if isinstance(item, GatewayError):
                raise item
            yield item

    @asynccontextmanager
    async def run() -> AsyncIterator[AsyncIterator[RunItem]]:
        yield iterate()

    return Turn(run(), sentences=Said(), style=style)


async def deltas_of(turn: Turn) -> list[Any]:
    """Run a turn to its end."""
    return [delta async for delta in turn.deltas()]


async def test_an_answer_is_one_message() -> None:
    """Text is handed on as it comes, and the result holds all of it."""
    turn = turn_of([MessageStarted(), ChatDelta("Hel"), ChatDelta("lo."), ANSWERED])
    assert await deltas_of(turn) == [{"role": "assistant"}, {"content": "Hel"}, {"content": "lo."}]
    assert turn.result.outcome is TurnOutcome.ANSWERED
    assert turn.result.speech == "Hello."


async def test_text_before_a_tool_and_the_answer_are_messages_of_their_own() -> None:
    """The tool belongs to the message before it; the result holds the last message only."""
    turn = turn_of(
        [
            MessageStarted(),
            ChatDelta("Let me look."),
            STARTED,
            ENDED,
            MessageStarted(),
            ChatDelta("Done."),
            ANSWERED,
        ]
    )
    assert await deltas_of(turn) == [
        {"role": "assistant"},
        {"content": "Let me look."},
        TOOL_CALL,
        TOOL_RESULT,
        {"role": "assistant"},
        {"content": "Done."},
    ]
    assert turn.result.speech == "Done."


async def test_a_tool_before_any_text_opens_a_message() -> None:
    """The chat log wants every tool call in a message of the assistant."""
    turn = turn_of([STARTED, ENDED, MessageStarted(), ChatDelta("Done."), ANSWERED])
    assert await deltas_of(turn) == [
        {"role": "assistant"},
        TOOL_CALL,
        TOOL_RESULT,
        {"role": "assistant"},
        {"content": "Done."},
    ]


async def test_text_that_goes_on_after_a_tool_is_a_new_message() -> None:
    """After a tool result the chat log wants a role, even when the gateway goes on in its message."""
    turn = turn_of(
        [MessageStarted(), ChatDelta("One, "), STARTED, ENDED, ChatDelta("two."), ANSWERED]
    )
    assert (await deltas_of(turn))[-2:] == [{"role": "assistant"}, {"content": "two."}]
    assert turn.result.speech == "two."


async def test_a_tool_without_text_after_it_leaves_the_text_before_as_the_answer() -> None:
    """What was said is the answer, wherever the tool stands."""
    turn = turn_of([MessageStarted(), ChatDelta("Turning it on."), STARTED, ENDED, ANSWERED])
    await deltas_of(turn)
    assert turn.result.speech == "Turning it on."


LINKS = ChatFinal(
    outcome=RunOutcome.ANSWERED,
    links=("https://x.example/a/cat.png?size=1", "https://x.example/b/"),
)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([MessageStarted(), ChatDelta("Look:")], [{"content": "\n\n{links}"}]),
        ([], [{"role": "assistant"}, {"content": "{links}"}]),
        (
            [MessageStarted(), ChatDelta("Hm."), STARTED, ENDED],
            [{"role": "assistant"}, {"content": "{links}"}],
        ),
    ],
    ids=["after text", "alone", "after a tool"],
)
async def test_links_end_the_last_message(
    before: list[RunItem], expected: list[dict[str, str]]
) -> None:
    """Media of an answer can be opened from the conversation."""
    links = "[cat.png](https://x.example/a/cat.png?size=1)\n[b](https://x.example/b/)"
    turn = turn_of([*before, LINKS])
    deltas = await deltas_of(turn)
    assert deltas[-len(expected) :] == [
        {key: value.format(links=links) for key, value in delta.items()} for delta in expected
    ]
    assert turn.result.speech.endswith(links)


async def test_a_silent_end_that_is_heard_is_a_result_without_speech() -> None:
    """The agent may decide that nothing needs to be said."""
    turn = turn_of([ChatFinal(outcome=RunOutcome.SILENT)], SPOKEN)
    assert await deltas_of(turn) == []
    assert turn.result == TurnResult(outcome=TurnOutcome.SILENT)


async def test_a_silent_end_that_is_read_says_so() -> None:
    """An empty bubble would look like a fault."""
    turn = turn_of([ChatFinal(outcome=RunOutcome.SILENT)])
    assert await deltas_of(turn) == [{"role": "assistant", "content": "(no answer)"}]
    assert turn.result == TurnResult(
        outcome=TurnOutcome.SILENT, speech="(no answer)", sentence="(no answer)"
    )


async def test_a_silent_end_after_some_text_adds_nothing() -> None:
    """The reader has seen something."""
    turn = turn_of(
        [MessageStarted(), ChatDelta("Let me look."), ChatFinal(outcome=RunOutcome.SILENT)]
    )
    assert len(await deltas_of(turn)) == 2
    assert turn.result == TurnResult(outcome=TurnOutcome.SILENT)


async def test_an_error_before_the_first_word_is_said_as_a_sentence() -> None:
    """Nobody is left without an answer."""
    error = NotConnectedError("no")
    turn = turn_of([error])
    assert await deltas_of(turn) == [{"role": "assistant", "content": "(not_connected)"}]
    assert turn.result.outcome is TurnOutcome.FAILED
    assert turn.result.speech == "(not_connected)"
    assert turn.result.error is error


async def test_an_error_after_some_text_keeps_the_text() -> None:
    """The sentence follows as a message of its own; those without deltas get both."""
    turn = turn_of([MessageStarted(), ChatDelta("It is "), RunLostError("gone")])
    assert (await deltas_of(turn))[1:] == [
        {"content": "It is "},
        {"role": "assistant", "content": "(run_lost)"},
    ]
    assert turn.result.speech == "It is (run_lost)"


async def test_a_tool_has_an_end_when_its_run_is_lost() -> None:
    """Other agents read the log of the same conversation, and some want an end for each call."""
    turn = turn_of([STARTED, RunLostError("gone")])
    call, end, sentence = (await deltas_of(turn))[1:]
    assert call == TOOL_CALL
    assert (end["role"], end["tool_call_id"]) == ("tool_result", "t1")
    assert sentence == {"role": "assistant", "content": "(run_lost)"}


async def test_a_run_stopped_before_the_first_word_is_told() -> None:
    """Silence would look like a fault."""
    turn = turn_of([ChatFinal(outcome=RunOutcome.ABORTED)])
    assert await deltas_of(turn) == [{"role": "assistant", "content": "(answer_stopped)"}]
    assert isinstance(turn.result.error, AnswerStoppedError)


async def test_a_run_stopped_before_the_first_word_is_not_heard() -> None:
    """Whoever said stop, or asked something else, wants to hear nothing."""
    turn = turn_of([ChatFinal(outcome=RunOutcome.ABORTED)], SPOKEN)
    assert await deltas_of(turn) == []
    assert turn.result == TurnResult(outcome=TurnOutcome.SILENT, is_stopped=True)


async def test_a_run_stopped_in_mid_answer_keeps_what_was_said() -> None:
    """Somebody stopped it on purpose, so there is nothing to explain."""
    turn = turn_of([MessageStarted(), ChatDelta("One, two"), ChatFinal(outcome=RunOutcome.ABORTED)])
    await deltas_of(turn)
    assert turn.result.outcome is TurnOutcome.ANSWERED
    assert turn.result.speech == "One, two"


async def test_leaving_a_turn_leaves_its_run() -> None:
    """Whoever stops listening lets go of the run at once."""
    left = False

    async def iterate() -> AsyncIterator[RunItem]:
        yield MessageStarted()
        yield ChatDelta("One, ")

    @asynccontextmanager
    async def run() -> AsyncIterator[AsyncIterator[RunItem]]:
        nonlocal left
        try:
            yield iterate()
        finally:
            left = True

    deltas = Turn(run(), sentences=Said()).deltas()
    await anext(deltas)
    await deltas.aclose()
    assert left


async def test_what_is_spoken_is_what_the_chat_log_gets() -> None:
    """Each message goes through a filter of its own, which holds nothing back at its end."""
    turn = turn_of(
        [
            MessageStarted(),
            ChatDelta("Let me "),
            ChatDelta("look."),
            STARTED,
            ENDED,
            MessageStarted(),
            ChatDelta("*Done*."),
            MessageStarted(),
            ChatDelta("*"),
            ANSWERED,
        ],
        SPOKEN,
    )
    assert await deltas_of(turn) == [
        {"role": "assistant"},
        {"content": "LET ME"},
        {"content": " LOOK"},
        {"content": "."},
        TOOL_CALL,
        TOOL_RESULT,
        {"role": "assistant"},
        {"content": "DONE"},
        {"content": "."},
        {"role": "assistant"},
    ]
    # A message of which nothing can be said does not take away the one before.
    assert turn.result.speech == turn.result.answer == "DONE."
    assert turn.written == "Let me look.\n\n*Done*.\n\n*"


@pytest.mark.parametrize("sign", ["!", ""], ids=["while it is said", "at its end"])
async def test_a_filter_that_fails_does_not_take_the_answer_away(
    sign: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The message is said as it is, the next one is filtered again."""

    class Broken(Capitals):
        def feed(self, text: str) -> str:
            if "!" in text:
                raise ValueError("secret")
            return super().feed(text)

        def finish(self) -> str:
            if self._held == "X":
                raise ValueError("secret")
            return super().finish()

    turn = turn_of(
        [
            MessageStarted(),
            ChatDelta("a x"),
            ChatDelta(sign),
            MessageStarted(),
            ChatDelta("bc"),
            ANSWERED,
        ],
        TurnStyle(new_filter=Broken, patience=100, total=None),
    )
    deltas = await deltas_of(turn)
    assert [delta["content"] for delta in deltas if "content" in delta][-2:] == ["B", "C"]
    assert ({"content": "!"} in deltas) is bool(sign)
    assert [record.getMessage() for record in caplog.records] == [
        "A text is not made fit for speech: ValueError"
    ]


@pytest.mark.parametrize(
    ("before", "said"),
    [([MessageStarted(), ChatDelta("Look")], "LOOK (file)"), ([], "(file)")],
    ids=["after text", "alone"],
)
async def test_media_are_mentioned_not_read(before: list[RunItem], said: str) -> None:
    """Nobody wants to hear an address."""
    turn = turn_of([*before, LINKS], SPOKEN)
    await deltas_of(turn)
    assert turn.result.speech == said
    assert turn.result.links == LINKS.links


async def test_what_the_filter_holds_back_is_said_before_an_error() -> None:
    """Nothing of the answer is lost."""
    turn = turn_of([MessageStarted(), ChatDelta("ab"), RunLostError("gone")], SPOKEN)
    assert (await deltas_of(turn))[1:] == [
        {"content": "A"},
        {"content": "B"},
        {"role": "assistant", "content": "(run_lost)"},
    ]
    assert turn.result.speech == "AB (run_lost)"
    assert turn.result.answer == "AB"


async def test_the_stages_of_a_turn_have_their_times() -> None:
    """So that a slow stage can be named."""
    turn = turn_of([MessageStarted(), ChatDelta("One. Two"), ANSWERED])
    await deltas_of(turn)
    times = turn.timings
    assert times.connected is not None
    assert times.first_text is not None
    assert times.first_sentence is not None
    assert times.done is not None
    assert 0 <= times.connected <= times.first_text <= times.first_sentence <= times.done < 5


def test_what_was_said_is_not_in_the_repr() -> None:
    """Results may be logged, speech may not."""
    assert "secret" not in repr(TurnResult(outcome=TurnOutcome.ANSWERED, speech="secret"))


async def test_who_waits_for_an_approval_reads_why() -> None:
    """In the message that is open; the tool goes on, and the answer is a message of its own."""
    waits = ApprovalAwaited("a")
    turn = turn_of([STARTED, waits, ENDED, MessageStarted(), ChatDelta("Done."), ANSWERED])
    assert await deltas_of(turn) == [
        {"role": "assistant"},
        TOOL_CALL,
        {"content": "(may I?)\n\n"},
        TOOL_RESULT,
        {"role": "assistant"},
        {"content": "Done."},
    ]
    assert turn.result.outcome is TurnOutcome.ANSWERED
    assert turn.result.speech == "Done."
    assert turn.timings.first_text is not None


async def test_what_was_said_before_is_kept_apart() -> None:
    """By a blank where it is heard; what was held back comes first."""
    turn = turn_of([MessageStarted(), ChatDelta("I look."), ApprovalAwaited("a"), ANSWERED], SPOKEN)
    assert await deltas_of(turn) == [
        {"role": "assistant"},
        {"content": "I LOOK"},
        {"content": "."},
        {"content": " (MAY I?) "},
    ]
    assert turn.result.speech == "I LOOK."


async def test_a_question_without_a_message_opens_one() -> None:
    """It is read as it was written, and the turn waits for whoever answers it elsewhere."""
    turn = turn_of([QuestionAsked(QUESTION), MessageStarted(), ChatDelta("Fine."), ANSWERED])
    assert await deltas_of(turn) == [
        {"role": "assistant"},
        {"content": "*Which room?*\n\n"},
        {"role": "assistant"},
        {"content": "Fine."},
    ]
    assert turn.result.asked is None

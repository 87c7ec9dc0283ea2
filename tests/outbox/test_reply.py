"""What is still to be said of an answer when its turn has ended."""

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)
from custom_components.openclaw_voice.outbox.late_answer import MAX_TEXT
from custom_components.openclaw_voice.outbox.reply import Reply, remainder

TOOL = ToolActivity(call_id="1", name="exec", phase=ToolPhase.START)


def final(text: str) -> ChatFinal:
    """Return the end of a run that answered."""
    return ChatFinal(outcome=RunOutcome.ANSWERED, text=text)


def rest_of(reply: Reply, *items: RunItem) -> str:
    """Return what is left to say after these items."""
    for item in items:
        reply.take(item)
    assert reply.ended is not None
    return reply.ended.rest


def test_nothing_has_ended_before_the_final() -> None:
    """Only the end says what the answer is."""
    reply = Reply()
    reply.take(ChatDelta("It is"))
    assert reply.ended is None


def test_a_turn_that_said_nothing_leaves_the_whole_answer() -> None:
    """Also what came before a tool."""
    rest = rest_of(
        Reply(), MessageStarted(), ChatDelta("It is 42."), final("Let me look.\n\nIt is 42.\n")
    )
    assert rest == "Let me look.\n\nIt is 42."


def test_what_was_said_is_not_said_again() -> None:
    """The message after the tool is what people wait for."""
    rest = rest_of(
        Reply("Let me look…"),
        TOOL,
        MessageStarted(),
        ChatDelta("It is "),
        ChatDelta("42."),
        MessageStarted(),
        ChatDelta("Bye."),
        final("Let me look…\n\nIt is 42.\n\nBye."),
    )
    assert rest == "It is 42.\n\nBye."


def test_a_message_that_was_begun_is_gone_on_with() -> None:
    """The hand-over came in the middle of a sentence."""
    rest = rest_of(Reply("It is "), ChatDelta("42."), final("It is 42."))
    assert rest == "42."


def test_a_message_that_was_taken_back_is_said_in_its_new_form() -> None:
    """What was said is no part of the answer any more."""
    rest = rest_of(Reply("It is 41."), MessageStarted(), ChatDelta("It is 42."), final("It is 42."))
    assert rest == "It is 42."


def test_nothing_is_left_when_all_was_said() -> None:
    """The run only took its time to end."""
    assert rest_of(Reply("It is 42. "), final("It is 42.")) == ""


def test_after_a_restart_the_whole_text_is_relied_on() -> None:
    """Items of a run that was found again may begin anywhere."""
    reply = Reply("Let me look.", is_whole=False)
    assert rest_of(reply, ChatDelta("42."), final("Let me look.\n\nIt is 42.")) == "It is 42."


def test_the_end_comes_with_its_outcome() -> None:
    """What ended is told with what is left."""
    reply = Reply()
    end = ChatFinal(outcome=RunOutcome.SILENT)
    reply.take(end)
    assert reply.ended is not None
    assert reply.ended.final is end


def test_endless_text_does_not_fill_the_memory() -> None:
    """More than is kept is never needed."""
    reply = Reply("Well.")
    for _ in range(30):
        reply.take(ChatDelta("x" * 10_000))
    assert len(rest_of(reply, final("Well."))) == 2 * MAX_TEXT


@pytest.mark.parametrize(
    ("said", "whole", "expected"),
    [
        ("", "  It is 42. ", "It is 42."),
        ("Let me look. ", "Let me look.\n\nIt is 42.", "It is 42."),
        ("Letme look.", "Let me  look.It is 42.", "It is 42."),
        ("Something else", "It is 42.", "It is 42."),
        ("It is 42. Really.", "It is 42.", "It is 42."),
        ("It is 42.", "It is 42. ", ""),
        ("a", "   ", ""),
    ],
)
def test_remainder(said: str, whole: str, expected: str) -> None:
    """Blank space does not count; what does not fit is said as a whole."""
    assert remainder(said, whole) == expected


@given(said=st.text(), rest=st.text())
def test_remainder_of_any_text(said: str, rest: str) -> None:
    """Whatever was said first: what follows it is left, no character more or less."""
    assert remainder(said, f"{said}\n\n{rest}") == rest.strip()

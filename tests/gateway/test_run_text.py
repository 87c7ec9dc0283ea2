"""Cumulative texts in, each word handed out once."""

from collections.abc import Sequence

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.run_items import ChatDelta, MessageStarted
from custom_components.openclaw_voice.gateway.run_text import SEPARATOR, RunText


class Listener:
    """Collects what a run says, as messages."""

    def __init__(self) -> None:
        """Start with a run that has said nothing."""
        self.messages: list[str] = []
        self.deltas = 0
        self.text = RunText(self.take)

    def take(self, item: MessageStarted | ChatDelta) -> None:
        """Take the next item."""
        match item:
            case MessageStarted():
                self.messages.append("")
            case ChatDelta(text=text):
                assert text, "an empty delta says nothing"
                self.messages[-1] += text
                self.deltas += 1

    def hear(self, *frames: tuple[str | None, str]) -> None:
        """Take frames: item id and cumulative text."""
        for item_id, text in frames:
            self.text.say(item_id, text)


@pytest.fixture
def listener() -> Listener:
    """Return somebody who listens to a new run."""
    return Listener()


def js_prefix(text: str, units: int) -> str:
    """Return the first UTF-16 units of a text: the gateway's idea of a piece."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "surrogatepass")


def js_length(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


TEXTS = (
    st.text(max_size=60)
    | st.lists(st.sampled_from(["😀", "👩‍👧", "a", "ä", " ", "\n\n", "word"]), max_size=20).map(
        "".join
    )
).map(lambda text: f"{text}.")
"""Texts that do not end in white space, which is not worth a delta of its own."""


@st.composite
def frames_of(draw: st.DrawFn, text: str) -> list[str]:
    """Draw cumulative frames of a text: in any order, some repeated, some lost."""
    units = st.integers(0, js_length(text))
    return [js_prefix(text, cut) for cut in draw(st.lists(units, max_size=12))]


@given(st.data(), TEXTS)
def test_any_frames_of_a_text_say_it_once(data: st.DataObject, text: str) -> None:
    """Lost, repeated and late frames, and frames that cut an emoji in two, cost nothing."""
    listener = Listener()

    listener.hear(*(("a", frame) for frame in data.draw(frames_of(text))))
    whole = listener.text.complete(text)

    assert listener.messages == [text]
    assert whole == text


@given(st.data(), TEXTS)
def test_nothing_is_said_before_its_time(data: st.DataObject, text: str) -> None:
    """What is handed out so far is always the beginning of the text, without half an emoji."""
    listener = Listener()

    for frame in data.draw(frames_of(text)):
        listener.hear(("a", frame))
        said = "".join(listener.messages)
        assert text.startswith(said)
        assert len(listener.messages) <= 1


@given(st.data(), TEXTS, TEXTS)
def test_late_frames_of_a_message_that_is_over_say_nothing(
    data: st.DataObject, first: str, second: str
) -> None:
    """Two messages stay two, although frames of the first come among those of the second."""
    listener = Listener()
    late = data.draw(frames_of(first))

    listener.hear(("a", first))
    for frame in data.draw(frames_of(second)):
        listener.hear(("b", frame), *(("a", late.pop()) for _ in late[:1]))
    listener.hear(("b", second))

    assert listener.messages == [first, second]
    assert listener.text.whole == first + SEPARATOR + second


@given(st.data(), TEXTS, TEXTS)
def test_a_lost_end_of_the_first_message_does_not_repeat_the_second(
    data: st.DataObject, first: str, second: str
) -> None:
    """While a connection was away the first message went on; what follows it is said once."""
    first, second = f"1{first}", f"2{second}"
    listener = Listener()
    piece = js_prefix(first, data.draw(st.integers(1, js_length(first))))
    rest = data.draw(st.integers(1, js_length(second)))

    listener.hear(("a", piece), ("b", js_prefix(second, rest)), ("b", second))
    deltas = listener.deltas
    listener.text.complete(f"{first}{SEPARATOR}{second}")

    assert listener.messages[-1] == second
    assert listener.deltas == deltas


def test_a_text_is_handed_out_as_it_grows(listener: Listener) -> None:
    """Each frame gives the words it adds."""
    items: list[MessageStarted | ChatDelta] = []
    text = RunText(items.append)

    for frame in ("Hel", "Hello", "Hello", "Hello you"):
        text.say("a", frame)

    assert items == [MessageStarted(), ChatDelta("Hel"), ChatDelta("lo"), ChatDelta(" you")]


def test_half_an_emoji_waits_for_its_other_half(listener: Listener) -> None:
    """The gateway counts an emoji as two, and may cut between them."""
    listener.hear(("a", "Hi \ud83d"))
    assert listener.messages == ["Hi "]

    listener.hear(("a", "Hi 😀"))
    assert listener.messages == ["Hi 😀"]


def test_a_late_frame_of_an_earlier_message_says_nothing(listener: Listener) -> None:
    """A message is over when the next one has begun."""
    listener.hear(("a", "Let me look."), ("b", "It is"), ("a", "Let me look. Wait."))

    assert listener.messages == ["Let me look.", "It is"]


def test_a_run_without_text_has_no_message(listener: Listener) -> None:
    """A message starts with its first word, not before."""
    listener.hear(("a", ""))
    listener.text.say("b", "", takes_back=True)

    assert listener.messages == []
    assert listener.text.whole == ""


def test_a_frame_without_item_id_belongs_to_the_current_message(listener: Listener) -> None:
    """Older frames have no item id."""
    listener.hear((None, "Hel"), (None, "Hello"))
    assert listener.messages == ["Hello"]

    listener.hear(("b", "You"), (None, "You there"))
    assert listener.messages == ["Hello", "You there"]


def test_a_text_that_diverges_starts_again(listener: Listener) -> None:
    """What was said cannot be taken back, so the other text comes as a message of its own."""
    listener.hear(("a", "It is five"), ("a", "It was six"))

    assert listener.messages == ["It is five", "It was six"]
    assert listener.text.whole == "It was six"


def test_halves_of_characters_are_not_handed_out(listener: Listener) -> None:
    """JSON can escape half an emoji, but nothing after us can carry it."""
    listener.hear(("a", "a\ud83db"), ("a", "a\ud83db\ude00"), ("a", "a\ud83db\ude00c"))

    assert listener.messages == ["abc"]
    assert listener.text.complete("a\ud83db\ude00c") == "abc"


@pytest.mark.parametrize("item_id", ["a", "b"], ids=["same item", "new item"])
@pytest.mark.parametrize(
    ("again", "messages"),
    [
        pytest.param(["Hello", "Hello world, again"], ["Hello world, again"], id="same words"),
        pytest.param(["Hello"], ["Hello world"], id="fewer words"),
        pytest.param(["He", "Hey you"], ["Hello world", "Hey you"], id="other words"),
        pytest.param(["Bye"], ["Hello world", "Bye"], id="all different"),
        pytest.param([], ["Hello world"], id="nothing more"),
    ],
)
def test_a_retraction_says_nothing_twice(
    listener: Listener, item_id: str, again: Sequence[str], messages: list[str]
) -> None:
    """Same words go on where they stopped, other words come as a new message with all of it."""
    listener.hear(("a", "Hello"), ("a", "Hello world"))
    listener.text.say("a", "", takes_back=True)

    listener.hear(*((item_id, frame) for frame in again))

    assert listener.messages == messages
    assert listener.text.whole == (again[-1] if again else "")


def test_a_retraction_of_nothing_says_nothing(listener: Listener) -> None:
    """Each failed attempt takes back an item of its own, whether it said something or not."""
    for item_id in ("a", "b", "c"):
        listener.text.say(item_id, "", takes_back=True)
    listener.hear(("d", "Hello"))

    assert listener.messages == ["Hello"]


def test_a_retraction_may_bring_the_new_text(listener: Listener) -> None:
    """A shorter text that replaces the old one is the beginning of what is said again."""
    listener.hear(("a", "Hello world"))

    listener.text.say("a", "Hello", takes_back=True)
    listener.hear(("a", "Hello there"))

    assert listener.messages == ["Hello world", "Hello there"]


def test_a_retraction_leaves_earlier_messages_alone(listener: Listener) -> None:
    """Only the model call after the tool starts again."""
    listener.hear(("a", "Let me look."), ("b", "It is"))
    listener.text.say("b", "", takes_back=True)

    listener.hear(("c", "It is on."))

    assert listener.messages == ["Let me look.", "It is on."]


def test_a_retracted_text_can_be_completed(listener: Listener) -> None:
    """The final text goes on where the retracted one stopped."""
    listener.hear(("a", "Let me look."), ("b", "It is"))
    listener.text.say("b", "", takes_back=True)

    assert listener.text.complete("Let me look.\n\nIt is on.") == "Let me look.\n\nIt is on."
    assert listener.messages == ["Let me look.", "It is on."]


def test_a_retracted_text_can_be_completed_with_the_last_message(listener: Listener) -> None:
    """The last response has the text after the tool only."""
    listener.hear(("a", "Let me look."), ("b", "It is"))
    listener.text.say("b", "", takes_back=True)

    assert listener.text.complete("It is on.") == "Let me look.\n\nIt is on."
    assert listener.messages == ["Let me look.", "It is on."]


@pytest.mark.parametrize(
    ("frames", "messages"),
    [
        pytest.param([("x", "Hello world and more")], ["Hello world and more"], id="same words"),
        pytest.param([("x", "Hello")], ["Hello world"], id="not as far yet"),
        pytest.param([("x", "Goodbye")], ["Hello world", "Goodbye"], id="other words"),
        pytest.param([(None, "Hello world!")], ["Hello world!"], id="without item id"),
    ],
)
def test_a_turn_that_runs_again_goes_on_where_it_stopped(
    listener: Listener, frames: list[tuple[str | None, str]], messages: list[str]
) -> None:
    """After a restart of the gateway the same words are not said a second time."""
    listener.hear(("a", "Hello world"))

    listener.text.restart()
    listener.hear(*frames)

    assert listener.messages == messages


def test_a_turn_that_runs_again_has_no_text_at_first(listener: Listener) -> None:
    """What was said before the restart is void, unless it is said again."""
    listener.hear(("a", "Hello"))

    listener.text.restart()

    assert listener.text.whole == ""
    assert listener.text.has_messages


def test_a_turn_that_runs_again_without_having_said_anything_starts_afresh(
    listener: Listener,
) -> None:
    """There is nothing to continue."""
    listener.text.restart()
    assert not listener.text.has_messages

    listener.hear(("a", "Hello"))
    assert listener.messages == ["Hello"]


@pytest.mark.parametrize(
    ("frames", "final", "messages", "whole"),
    [
        pytest.param([("a", "Hello")], "Hello", ["Hello"], "Hello", id="equal"),
        pytest.param([("a", "Hello ")], "Hello", ["Hello "], "Hello", id="other spaces"),
        pytest.param([("a", "Hel")], "Hello", ["Hello"], "Hello", id="a tail"),
        pytest.param([], "Hello", ["Hello"], "Hello", id="nothing was said"),
        pytest.param([("a", "")], "Hello", ["Hello"], "Hello", id="an empty frame"),
        pytest.param([("a", "Hello you")], "Hello", ["Hello you"], "Hello", id="shorter"),
        pytest.param([("a", "Hello")], "", ["Hello"], "", id="no text"),
        pytest.param([], "", [], "", id="nothing at all"),
        pytest.param([("a", "Hello")], "Bye", ["Hello", "Bye"], "Hello\n\nBye", id="other words"),
        pytest.param(
            [("a", "Let me look."), ("b", "It is on.")],
            "Let me look.\n\nIt is on.",
            ["Let me look.", "It is on."],
            "Let me look.\n\nIt is on.",
            id="two messages",
        ),
        pytest.param(
            [("a", "Let me look."), ("b", "It is")],
            "Let me look.\n\nIt is on.",
            ["Let me look.", "It is on."],
            "Let me look.\n\nIt is on.",
            id="two messages and a tail",
        ),
        pytest.param(
            [("a", "Let me look."), ("b", "It is on.")],
            "It is on.",
            ["Let me look.", "It is on."],
            "Let me look.\n\nIt is on.",
            id="last message only",
        ),
        pytest.param(
            [("a", "Let me look."), ("b", "It is")],
            "It is on.",
            ["Let me look.", "It is on."],
            "Let me look.\n\nIt is on.",
            id="last message only and a tail",
        ),
        pytest.param(
            [("a", "A"), ("b", "A")],
            "A\n\nA b",
            ["A", "A b"],
            "A\n\nA b",
            id="two messages that begin alike",
        ),
        pytest.param(
            [("a", "Let"), ("b", "It is")],
            "Let me look.\n\nIt is on.",
            ["Let", "It is on."],
            "Let\n\nIt is on.",
            id="the end of the first message was lost",
        ),
        pytest.param(
            [("a", "Let me look."), ("b", "It is on.")],
            "Let me look.\n\nIt is off.",
            ["Let me look.", "It is on.", "It is off."],
            "Let me look.\n\nIt is on.\n\nIt is off.",
            id="the last message has other words",
        ),
        pytest.param(
            [("a", "Let me look."), ("b", "It is on.")],
            "It is off.",
            ["Let me look.", "It is on.", "It is off."],
            "Let me look.\n\nIt is on.\n\nIt is off.",
            id="last message only, with other words",
        ),
        pytest.param(
            [("a", "Let me look.")],
            "It is on.",
            ["Let me look.", "It is on."],
            "Let me look.\n\nIt is on.",
            id="the last message was lost",
        ),
    ],
)
def test_the_final_text_completes_what_was_said(
    listener: Listener,
    frames: list[tuple[str | None, str]],
    final: str,
    messages: list[str],
    whole: str,
) -> None:
    """The final text is authoritative: what it has more is said, nothing is said twice."""
    listener.hear(*frames)

    assert listener.text.complete(final) == whole
    assert listener.messages == messages


@pytest.mark.parametrize(
    "frames",
    [
        [("a", "Let me look.")],
        [("a", "Let me")],
        [("a", "Let me look."), ("b", "It is on.")],
        [("a", "Let me look."), ("b", "It")],
    ],
    ids=["after one", "within one", "after two", "within two"],
)
def test_messages_that_were_lost_are_said_at_the_end(
    listener: Listener, frames: list[tuple[str | None, str]]
) -> None:
    """Whole messages that only the final text has are said, none of it twice."""
    final = "Let me look.\n\nIt is on.\n\nAnything else?"

    listener.hear(*frames)
    whole = listener.text.complete(final)

    assert SEPARATOR.join(listener.messages) == final
    assert whole == final


@pytest.mark.parametrize(
    ("frames", "final", "messages", "whole"),
    [
        pytest.param(
            [("a", "Now let me look.")],
            "No",
            ["Now let me look.", "No"],
            "Now let me look.\n\nNo",
            id="begins like the text before",
        ),
        pytest.param(
            [("a", "No, let me look.")],
            "No",
            ["No, let me look.", "No"],
            "No, let me look.\n\nNo",
            id="the first word of the text before",
        ),
        pytest.param(
            [("a", "Let me check if it is locked")],
            "locked",
            ["Let me check if it is locked", "locked"],
            "Let me check if it is locked\n\nlocked",
            id="the last word of the text before",
        ),
        pytest.param(
            [("a", "It")],
            "It is on.",
            ["It", "It is on."],
            "It\n\nIt is on.",
            id="goes on like the text before",
        ),
        pytest.param(
            [("a", "Let me look.\n")],
            "Let me look.\n\nIt is on.",
            ["Let me look.\n", "It is on."],
            "Let me look.\n\n\nIt is on.",
            id="after the text before",
        ),
        pytest.param(
            [("a", "One."), ("b", "Two.")],
            "Two.\n\nThree.",
            ["One.", "Two.", "Three."],
            "One.\n\nTwo.\n\nThree.",
            id="after the last of the texts before",
        ),
        pytest.param(
            [("a", "Let"), ("b", "One moment.")],
            "Let me look.\n\nOne moment.",
            ["Let", "One moment."],
            "Let\n\nOne moment.",
            id="nothing after the text before",
        ),
        pytest.param(
            [("a", "Let me look."), ("b", "It")],
            "Let me look.\n\nIt is on.",
            ["Let me look.", "It", "It is on."],
            "Let me look.\n\nIt\n\nIt is on.",
            id="goes on like the last of the texts before",
        ),
        pytest.param(
            [("a", "Done.")], "Done.", ["Done."], "Done.", id="the same as the text before"
        ),
        pytest.param(
            [("a", "One."), ("b", "Two.")],
            "One.",
            ["One.", "Two."],
            "One.",
            id="the same as the first text before",
        ),
        pytest.param([], "No", ["No"], "No", id="there was no text before"),
    ],
)
def test_after_a_tool_the_rest_of_the_answer_is_a_new_message(
    listener: Listener,
    frames: list[tuple[str | None, str]],
    final: str,
    messages: list[str],
    whole: str,
) -> None:
    """Whole messages are compared, so that a short answer is not taken for a piece of the text before."""
    listener.hear(*frames)
    listener.text.close_message()

    assert listener.text.complete(final) == whole
    assert listener.messages == messages


@given(TEXTS, st.text(alphabet="a. \n", min_size=1), st.integers(0, 60), st.integers(0, 60))
def test_a_piece_of_the_text_before_a_tool_is_an_answer(
    first: str, second: str, start: int, end: int
) -> None:
    """Only an answer of exactly the same words was said already."""
    second = first[start : start + end].strip() or f"1{second}"
    listener = Listener()

    listener.hear(("a", first))
    listener.text.close_message()
    listener.text.complete(second)

    assert listener.messages == ([first] if second.split() == first.split() else [first, second])


@pytest.mark.parametrize(
    ("frames", "final", "messages", "whole"),
    [
        pytest.param(
            [("a", "Now let me look.")],
            "No",
            ["Now let me look.", "No"],
            "Now let me look.\n\nNo",
            id="begins like what was said",
        ),
        pytest.param(
            [("a", "It is locked")],
            "locked",
            ["It is locked", "locked"],
            "It is locked\n\nlocked",
            id="ends like what was said",
        ),
        pytest.param(
            [("a", "Hello you.")], "Hello you", ["Hello you."], "Hello you", id="shorter by a sign"
        ),
        pytest.param(
            [("a", "One."), ("b", "Two and three.")],
            "Two",
            ["One.", "Two and three."],
            "One.\n\nTwo and three.",
            id="the last message, shorter",
        ),
        pytest.param(
            [("a", "One and two."), ("b", "Three.")],
            "One",
            ["One and two.", "Three.", "One"],
            "One and two.\n\nThree.\n\nOne",
            id="a piece of an earlier message",
        ),
        pytest.param(
            [("a", "One."), ("b", "Two."), ("c", "Three.")],
            "Two. Three.",
            ["One.", "Two.", "Three."],
            "One.\n\nTwo.\n\nThree.",
            id="the last messages",
        ),
        pytest.param(
            [("a", "One."), ("b", "Two."), ("c", "Three.")],
            "One.\n\nTwo.",
            ["One.", "Two.", "Three."],
            "One.\n\nTwo.",
            id="the first messages",
        ),
        pytest.param(
            [(None, "Let me look.\n\nIt is on.")],
            "It is on.",
            ["Let me look.\n\nIt is on."],
            "Let me look.\n\nIt is on.",
            id="the last of messages that came as one",
        ),
        pytest.param([("a", "Hello")], " \n", ["Hello"], "", id="white space"),
    ],
)
def test_what_was_said_is_told_by_whole_messages(
    listener: Listener,
    frames: list[tuple[str | None, str]],
    final: str,
    messages: list[str],
    whole: str,
) -> None:
    """Only the current message may have become shorter, and only by whole words."""
    listener.hear(*frames)

    assert listener.text.complete(final) == whole
    assert listener.messages == messages


def test_a_message_that_goes_on_after_a_tool_is_open_again(listener: Listener) -> None:
    """Its last words may come after the tool has started; then it may be completed."""
    listener.hear(("a", "It"))
    listener.text.close_message()
    listener.hear(("a", "It is"))

    assert listener.text.complete("It is on.") == "It is on."
    assert listener.messages == ["It is on."]


def test_a_late_frame_does_not_open_a_message_again(listener: Listener) -> None:
    """It adds nothing, so the answer after the tool is still a new message."""
    listener.hear(("a", "Now let me look."))
    listener.text.close_message()
    listener.hear(("a", "Now"))

    listener.text.complete("Now let me look. No.")

    assert listener.messages == ["Now let me look.", "Now let me look. No."]


def test_white_space_is_no_message(listener: Listener) -> None:
    """A message starts with its first word; what stands before it is not lost."""
    listener.hear(("a", " \n"))
    assert listener.messages == []
    assert listener.text.whole == ""

    listener.hear(("a", " \nHello"))
    assert listener.messages == [" \nHello"]
    assert listener.text.whole == " \nHello"


@given(st.data(), st.lists(TEXTS, min_size=1, max_size=3))
def test_completing_says_every_word_of_what_follows_the_last_frame(
    data: st.DataObject, texts: list[str]
) -> None:
    """Whatever was said of the first messages, the final text adds the rest, and only that."""
    texts = [f"{number}{text}" for number, text in enumerate(texts)]
    final = SEPARATOR.join(texts)
    listener = Listener()
    known = data.draw(st.integers(0, len(texts)))

    listener.hear(*((str(number), text) for number, text in enumerate(texts[:known])))
    whole = listener.text.complete(final)

    assert SEPARATOR.join(listener.messages) == final
    assert whole == final

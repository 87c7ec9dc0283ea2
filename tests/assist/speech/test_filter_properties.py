"""What holds for speech whatever a model writes, and however it is split."""

from itertools import pairwise

from hypothesis import example, given, settings, strategies as st
import pytest

from custom_components.openclaw_voice.assist.speech import SpeechFilter, SpeechWords, spoken
from custom_components.openclaw_voice.assist.speech.lines import MAX_HELD
from custom_components.openclaw_voice.assist.speech.source import Source

WORDS = SpeechWords(table="The table is there.", code="The code is there.", link="a link")

_PIECES = (
    "* ** *** _ __ ~~ ~ ` `` ``` ```py\n ~~~ [ ] ( ) ]( [a](http://x.y) ![i](u) [1] [^1] [^1]: "
    "【1†s】 【 \ue200cite\ue201 \ue200 https://a.b/c http www. w h ftp:// < <b> </b> <br> <think> "
    "</think> <!-- --> <name> <table> </table> <pre> </pre> <a <x@y.z> <|end|> &amp; & &#128512; "
    "\\ \\* \\( $ $$ $x^2$ 5 12. 1. 2) # ## > | |---| --- === - + • 😀 👨‍👩‍👧 🇩🇪 1️⃣ #️⃣ ❤️ © \u200d "
    "\ufe0f \u20e3 🏽 🔧 exec: NO_REPLY HEARTBEAT_OK MEDIA:/x [tool: [x] word milk. ! ? . : "
    ":contentReference[oaicite:0]{index=0} [[reply_to_current]] a\u0301 \u0301 שלום 你好 。 — “ ” ' \" "
    "\u2028 \ud800 \x00 Mai / = { } • "
    "\\frac{ }{ \\pi \\, \\begin{a ^{2 ^2 ^{\\circ} \\[ \\] x_1 ---|--- --|\n a|b \u2019 \u203a"
)
PIECES = _PIECES.split(" ")
BLANKS = [" ", "  ", "\n", "\n\n", "\r\n", "\r", "\t", "\u00a0", ""]
LONG = st.sampled_from(PIECES).flatmap(
    lambda piece: st.integers(1, 2 * MAX_HELD // max(1, len(piece))).map(lambda n: piece * n)
)

MARKDOWN = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from(BLANKS), st.text(max_size=3)), max_size=25
).map("".join)
ANYTHING = st.one_of(MARKDOWN, st.text(), st.tuples(MARKDOWN, LONG, MARKDOWN).map("".join))


def split(text: str, cuts: list[int]) -> list[str]:
    """Return a text in pieces."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


@settings(max_examples=250, deadline=None)
@given(ANYTHING, st.lists(st.integers(0, 10_000), max_size=12))
@example("a\r\nb", [2])
@example("👨‍👩‍👧 family", [1, 2, 3, 4])
@example("1️⃣", [1, 2])
@example("**bold** and ```\ncode\n``` [a](b)", list(range(40)))
@example("$$", [1])
@example("+ b", [1])
@example("😀🔧 exec: ls", [1])
def test_the_split_does_not_matter(text: str, cuts: list[int]) -> None:
    """The same is said however the text arrives, and little is ever held back."""
    whole = spoken(text, WORDS)
    for pieces in (list(text), split(text, cuts)):
        speech = SpeechFilter(WORDS)
        said = []
        for piece in pieces:
            said.append(speech.feed(piece))
            assert speech.held <= MAX_HELD
        said.append(speech.finish())
        assert "".join(said) == whole
        assert speech.held == 0


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_speech_is_tidy(text: str) -> None:
    """No runs of blanks or empty lines, nothing around, no control characters."""
    said = spoken(text, WORDS)
    assert said == said.strip()
    assert "\n\n\n" not in said
    assert "  " not in said
    assert not any(sign < " " and sign != "\n" for sign in said)
    said.encode()


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcxyz ABC.,;?éß你שم\u0301", max_size=200))
def test_plain_text_is_said_at_once(text: str) -> None:
    """Words are passed on as they come; only blanks wait for the next word."""
    speech = SpeechFilter(WORDS)
    for end, sign in enumerate(text, 1):
        speech.feed(sign)
        assert speech.held == 0, text[:end]


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "<a ",
        "**a",
        "`",
        "|a|b|\n",
        "[a](",
        "![x](data:",
        "&a",
        "$a",
        "【",
        "- ",
        "# ",
        "word ",
    ],
)
def test_the_work_grows_with_the_text_only(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However an answer arrives, each of its characters is looked at so many times, not more."""
    looked_at = 0
    window = Source.window

    def counted(source: Source, skip: int = 0) -> str:
        nonlocal looked_at
        looked_at += len(seen := window(source, skip))
        return seen

    monkeypatch.setattr(Source, "window", counted)
    text = piece * (6_000 // len(piece))
    for deltas in ([text], list(text)):
        looked_at = 0
        speech = SpeechFilter(WORDS)
        for delta in deltas:
            speech.feed(delta)
            assert speech.held <= MAX_HELD
        speech.finish()
        assert looked_at <= 3 * MAX_HELD * len(text)

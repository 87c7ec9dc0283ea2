"""Whether what is compared can be compared. Measuring is for scripts/bench."""

from pathlib import Path

import pytest

from demo.bench.first_audio import WORDS, check_texts
from demo.process import DemoError
from demo.voice.hearing import Recogniser
from demo.voice.server import Spoken, VoiceServer

TEXT = " ".join(["word"] * WORDS)
STREAMED = Spoken(text=TEXT, sentences=[TEXT[:300], TEXT[300:]], is_streamed=True)
WHOLE = Spoken(text=TEXT, sentences=[TEXT])


def servers(tmp_path: Path, one: Spoken, other: Spoken) -> tuple[VoiceServer, VoiceServer]:
    """Return two servers that have spoken these."""
    recogniser = Recogniser(tmp_path)
    streaming, whole = VoiceServer(recogniser), VoiceServer(recogniser, streams=False)
    streaming._spoken.append(one)
    whole._spoken.append(other)
    return streaming, whole


def test_one_answer_spoken_in_two_ways_can_be_compared(tmp_path: Path) -> None:
    """One came sentence by sentence, the other at once."""
    check_texts(*servers(tmp_path, STREAMED, WHOLE))


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (STREAMED, Spoken(text="Another.", sentences=["Another."]), "the same answer"),
        (Spoken(text="Short."), Spoken(text="Short."), "the same answer"),
        (WHOLE, WHOLE, "did not differ"),
        (STREAMED, STREAMED, "did not differ"),
        (Spoken(text=TEXT, sentences=[TEXT], is_streamed=True), WHOLE, "did not differ"),
    ],
    ids=[
        "another answer",
        "another length",
        "both whole",
        "both streamed",
        "streamed in one piece",
    ],
)
def test_anything_else_is_no_figure(
    one: Spoken, other: Spoken, message: str, tmp_path: Path
) -> None:
    """A comparison that compares nothing fails."""
    with pytest.raises(DemoError, match=message):
        check_texts(*servers(tmp_path, one, other))

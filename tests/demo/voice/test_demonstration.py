"""What `scripts/demo --voice` proves. The demo itself runs in tests/e2e."""

from dataclasses import replace
import json
from pathlib import Path

import pytest

from demo import main as main_module, stage
from demo.main import main, run
from demo.proof import ProofError, Turn
from demo.turn import TurnEnded
from demo.voice.demonstration import Exchange, VoiceReport, prove_speech
from demo.voice.spoken_turn import SpokenTurn
from demo.voice.timeline import Timeline

QUESTION = "Is the kettle on?"
ANSWER = "The kettle is on, and the water is hot."
END = TurnEnded(
    answer=ANSWER, response_type="action_done", conversation_id="c1", was_local=False, seconds=5.0
)
TURN = Turn(agent_id="conversation.main", messages=(ANSWER,), deltas=3, first_delta_s=4.0, end=END)
SPOKEN = SpokenTurn(recognised="is the kettle on", timeline=Timeline(asked=2.0, first_sound=4.5))
SEEN = Exchange(
    question=QUESTION,
    turn=TURN,
    spoken=SPOKEN,
    given=(ANSWER,),
    answer_recognised="the cattle is on and the water is hot",
)


def test_a_turn_that_was_understood_is_proven() -> None:
    """A word that was misheard does no harm."""
    prove_speech(SEEN)
    prove_speech(replace(SEEN, spoken=replace(SPOKEN, recognised="is the cattle on")))


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (
            replace(SEEN, spoken=replace(SPOKEN, recognised="it is the cat")),
            "heard 50% of the question",
        ),
        (replace(SEEN, given=()), "was not given the answer"),
        (replace(SEEN, given=("Something else.",)), "was not given the answer"),
        (replace(SEEN, given=(ANSWER, ANSWER)), "was not given the answer"),
        (replace(SEEN, answer_recognised="the end"), "In the sound of the answer 11%"),
        (replace(SEEN, spoken=replace(SPOKEN, timeline=Timeline(asked=2.0))), "first sound"),
    ],
    ids=[
        "another question",
        "nothing spoken",
        "another text",
        "spoken twice",
        "another sound",
        "no time",
    ],
)
def test_anything_else_is_no_proof(seen: Exchange, message: str) -> None:
    """Each claim is checked."""
    with pytest.raises(ProofError, match=message):
        prove_speech(seen)


REPORT = VoiceReport(
    question=QUESTION,
    recognised="is the kettle on",
    answer=ANSWER,
    answer_wav="answer.wav",
    answer_recognised="the kettle is on",
    first_audio_s=2.5,
    stages={"speech_to_text": 0.5},
    deltas=3,
    first_delta_s=2.0,
    complete_s=3.0,
    gateway_version="1",
    home_assistant_version="2",
)


async def test_stages_and_the_file_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get lines, programs one JSON object as the last line."""

    async def succeed(question: str, folder: Path, answer_wav: Path) -> VoiceReport:
        return replace(REPORT, answer_wav=str(answer_wav))

    monkeypatch.setattr(stage, "CHECKOUT", tmp_path)
    monkeypatch.setattr(main_module, "demonstrate_aloud", succeed)
    assert await run(QUESTION, as_json=True, answer_wav=tmp_path / "said.wav") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        "Heard: is the kettle on",
        "First sound 2.50 s after the question: speech to text 0.50 s.",
        f"The answer is in {tmp_path / 'said.wav'}",
    ]
    fields = json.loads(last)
    assert (fields["recognised"], fields["first_audio_s"]) == ("is the kettle on", 2.5)
    assert fields["stages"] == {"speech_to_text": 0.5}
    assert fields["answer_wav"] == str(tmp_path / "said.wav")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--answer", "said.wav"], "--answer is for --voice"),
        (["--voice", "--answer", "/nowhere/at/all.wav"], "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_starts(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The complaint is a sentence."""
    monkeypatch.setattr("sys.argv", ["demo", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert message in capsys.readouterr().err

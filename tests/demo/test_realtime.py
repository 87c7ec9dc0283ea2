"""What `scripts/demo --realtime` asks and proves. The demo itself runs in tests/e2e."""

from dataclasses import replace
import json
from pathlib import Path

import pytest

from demo import main as main_module, stage
from demo.main import main, run
from demo.model_server import ModelServer
from demo.proof import ProofError
from demo.realtime import RealtimeReport
from demo.realtime_lessons import (
    GARDEN,
    LESSONS,
    STORY,
    WEATHER,
    Lesson,
    lessons_with,
    prove_conversation,
    report_of,
    teach,
)
from demo.realtime_session import Answered, Answers, Conversation
from demo.satellite.client import Report, Turn
from demo.voice.sound import Sound
from demo.voice.speech_model import Consult, Mind, Say

QUESTION = "Is the kettle on?"
SOUND = Sound.silence(1.5)
TURNS = (
    Turn(
        user="please tell me a story about the old house",
        assistant="Once upon a time...",
        first_audio_s=0.9,
        clear_ms=2.5,
    ),
    Turn(user=WEATHER.question, assistant=WEATHER.answer, first_audio_s=0.7),
    Turn(user="what do you know about the garden", assistant=GARDEN.answer, first_audio_s=1.4),
)
HEARD = ("once upon a time there", WEATHER.answer, GARDEN.answer.replace("pond", "pot"))


def conversation(*turns: Turn, **fields: object) -> Conversation:
    """Return a session with these turns."""
    report = Report(
        backend="gateway", agent="main", turns=list(turns), reason="client_ended", close_code=1000
    )
    for name, value in fields.items():
        setattr(report, name, value)
    answers = tuple(
        Answered(question=lesson.question, turn=turn, sound=SOUND)
        for lesson, turn in zip(LESSONS, turns, strict=False)
    )
    return Conversation(report=report, answers=answers)


def test_a_session_that_went_well_is_proven() -> None:
    """A word that was misheard does no harm."""
    prove_conversation(conversation(*TURNS), LESSONS, "gateway", HEARD)


def with_turn(number: int, other: Turn) -> tuple[Turn, ...]:
    """Return the turns with one that is different."""
    return (*TURNS[:number], other, *TURNS[number + 1 :])


@pytest.mark.parametrize(
    ("seen", "heard", "message"),
    [
        (conversation(*TURNS, backend="assist"), HEARD, "assist answered, not gateway"),
        (conversation(*TURNS, backend=None), HEARD, "Nothing answered"),
        (conversation(*TURNS, reason="idle", close_code=4408), HEARD, "ended by itself"),
        (conversation(*TURNS, errors=["pipeline_error"]), HEARD, "pipeline_error"),
        (conversation(*TURNS[:2]), HEARD[:2], "2 turns, not 3"),
        (
            conversation(*with_turn(1, replace(TURNS[1], user="the cat"))),
            HEARD,
            "14% of .* were heard",
        ),
        (
            conversation(*with_turn(1, replace(TURNS[1], first_audio_s=None))),
            HEARD,
            "No audio came",
        ),
        (
            conversation(*with_turn(1, replace(TURNS[1], assistant="It is nine."))),
            HEARD,
            "was answered “It is nine.”",
        ),
        (conversation(*TURNS), (HEARD[0], "the end", HEARD[2]), "In the sound of the answer"),
        (
            conversation(*with_turn(0, replace(TURNS[0], clear_ms=None))),
            HEARD,
            "was not interrupted",
        ),
        (conversation(*TURNS), ("", *HEARD[1:]), "did not begin"),
        (conversation(*TURNS), (STORY.answer, *HEARD[1:]), "although it was interrupted"),
    ],
    ids=[
        "the other backend",
        "no backend",
        "ended by itself",
        "an error",
        "a turn is missing",
        "another question",
        "no audio",
        "another answer",
        "another sound",
        "never silent",
        "silent from the beginning",
        "spoken to the end",
    ],
)
def test_anything_else_is_no_proof(
    seen: Conversation, heard: tuple[str, ...], message: str
) -> None:
    """Each claim is checked."""
    with pytest.raises(ProofError, match=message):
        prove_conversation(seen, LESSONS, "gateway", heard)


def test_a_question_of_the_user_comes_last() -> None:
    """Nobody knows its answer beforehand, but it has to be heard."""
    assert lessons_with(None) == lessons_with(WEATHER.question) == LESSONS
    lessons = lessons_with(QUESTION)
    assert lessons == (*LESSONS, Lesson(question=QUESTION, answer="", is_agents=True))

    turn = Turn(user="is the kettle on", assistant="The kettle is on.", first_audio_s=0.8)
    seen = conversation(*TURNS, turn)
    seen = replace(
        seen, answers=(*seen.answers, Answered(question=QUESTION, turn=turn, sound=SOUND))
    )
    prove_conversation(seen, lessons, "gateway", (*HEARD, "the cattle is on"))
    with pytest.raises(ProofError, match="In the sound"):
        prove_conversation(seen, lessons, "gateway", (*HEARD, "no"))
    turn.assistant = ""
    with pytest.raises(ProofError, match="was answered “”"):
        prove_conversation(seen, lessons, "gateway", (*HEARD, ""))


def test_the_stand_ins_know_the_answers(socket_enabled: None) -> None:
    """The speech model answers two questions; about the others it asks the agent."""
    mind, model = Mind(), ModelServer()
    teach(mind, model, lessons_with(QUESTION))

    assert mind.react("what will the weather be like") == Say(text=WEATHER.answer)
    assert mind.react("what do you know about the garden") == Consult(
        question="what do you know about the garden"
    )
    assert mind.react("is the kettle on") == Consult(question="is the kettle on")


async def test_sounds_belong_to_the_turn_that_goes_on() -> None:
    """What is played before the first question belongs to none."""
    answers = Answers()
    answers.report = Report()
    await answers.write(b"\1\0")
    answers.report.turns.append(Turn())
    await answers.write(b"\2\0")
    await answers.write(b"\3\0")
    answers.report.turns += [Turn(), Turn()]
    await answers.write(b"\4\0")

    sounds = [answers.sound_of(number).samples for number in (1, 2, 3)]
    assert sounds == [b"\2\0\3\0", b"", b"\4\0"]


REPORT = RealtimeReport(
    backends={"gateway": report_of(conversation(*TURNS), HEARD, (0.31, 0.2, 0.5))},
    gateway_version="1",
    home_assistant_version="2",
)


async def test_both_backends_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get lines, programs one JSON object as the last line."""
    asked: list[str | None] = []

    async def succeed(question: str | None, folder: Path) -> RealtimeReport:
        asked.append(question)
        return REPORT

    monkeypatch.setattr(stage, "CHECKOUT", tmp_path)
    monkeypatch.setattr(main_module, "demonstrate_realtime", succeed)
    assert await run(None, as_json=True, is_realtime=True) == 0
    assert asked == [None]
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[0] == "By the speech model of the gateway:"
    assert "First sound 0.90 s after the question, 0.31 s of it in the speech engines." in lines[1]
    assert lines[4] == "  The first answer was interrupted after 1.5 s; silence came 2 ms later."
    report = json.loads(last)
    assert report["gateway_version"] == "1"
    gateway = report["backends"]["gateway"]
    assert gateway["turns"] == 3
    assert gateway["recognised"][2] == "what do you know about the garden"
    assert gateway["answer_recognised"] == list(HEARD)
    assert (gateway["first_audio_s"], gateway["clear_ms"]) == (0.9, 2.5)
    assert gateway["first_audio_each_s"] == [0.9, 0.7, 1.4]
    assert gateway["heard_before_clear_s"] == 1.5


def test_one_way_of_talking_at_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused before anything starts."""
    monkeypatch.setattr("sys.argv", ["demo", "--voice", "--realtime"])
    with pytest.raises(SystemExit):
        main()
    assert "either --voice or --realtime" in capsys.readouterr().err

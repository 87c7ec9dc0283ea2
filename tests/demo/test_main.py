"""What the demo proves, and how it fails. The demo itself runs in tests/e2e."""

from dataclasses import replace
from pathlib import Path

import pytest

from demo import main as main_module, stage
from demo.main import Report, run
from demo.model_server import ModelRequest
from demo.process import StartError
from demo.proof import ProofError, Turn, prove
from demo.stage import Agent, StepError
from demo.turn import TurnEnded

QUESTION = "What is the time?"
ANSWER = "Ten past nine."
AGENT = Agent(entry_id="e1", entity_id="conversation.openclaw")
END = TurnEnded(
    answer=ANSWER, response_type="action_done", conversation_id="c1", was_local=False, seconds=2.0
)
TURN = Turn(agent_id=AGENT.entity_id, messages=(ANSWER,), deltas=3, first_delta_s=1.0, end=END)
REQUEST = ModelRequest(
    received_at=0.0,
    user_text=QUESTION,
    messages=(),
    reply=ANSWER,
    is_complete=True,
    is_abandoned=False,
)


def test_a_good_turn_is_proven() -> None:
    """Our agent answered this question with what the model sent."""
    prove(QUESTION, TURN, AGENT, "openclaw_voice", [replace(REQUEST, user_text="other"), REQUEST])


def test_a_turn_with_a_tool_is_proven() -> None:
    """Text before the tool is a message too; the last one is the answer."""
    turn = replace(TURN, messages=("Let me look.", ANSWER))
    prove(
        QUESTION, turn, AGENT, "openclaw_voice", [replace(REQUEST, reply="Let me look."), REQUEST]
    )


@pytest.mark.parametrize(
    ("turn", "platform", "requests", "message"),
    [
        (
            replace(TURN, agent_id="conversation.home_assistant"),
            "openclaw_voice",
            [REQUEST],
            "answered, not",
        ),
        (
            replace(TURN, end=replace(END, was_local=True)),
            "openclaw_voice",
            [REQUEST],
            "answered, not",
        ),
        (TURN, "echo", [REQUEST], "entity of echo"),
        (TURN, "openclaw_voice", [], "never asked"),
        (TURN, "openclaw_voice", [replace(REQUEST, user_text="other")], "never asked"),
        (TURN, "openclaw_voice", [replace(REQUEST, is_complete=False)], "to the end"),
        (
            TURN,
            "openclaw_voice",
            [replace(REQUEST, reply="Ten.")],
            "not what the model server sent",
        ),
        (TURN, "openclaw_voice", [REQUEST, REQUEST], "not what the model server sent"),
        (
            replace(TURN, end=replace(END, answer="Ten.")),
            "openclaw_voice",
            [REQUEST],
            "not the one that was streamed",
        ),
    ],
    ids=[
        "another agent",
        "Home Assistant itself",
        "another integration",
        "nothing asked",
        "something else asked",
        "half an answer",
        "another answer",
        "asked twice",
        "another end",
    ],
)
def test_anything_else_is_no_proof(
    turn: Turn, platform: str, requests: list[ModelRequest], message: str
) -> None:
    """Each claim is checked."""
    with pytest.raises(ProofError, match=message):
        prove(QUESTION, turn, AGENT, platform, requests)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the demo write into a temporary folder."""
    monkeypatch.setattr(stage, "CHECKOUT", tmp_path)
    return tmp_path


async def test_a_failure_names_the_step_and_the_log(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1, stdout stays empty, and the log is still there to be read."""
    logs: list[Path] = []

    async def fail(question: str, folder: Path) -> Report:
        log = folder / "gateway" / "output.log"
        log.parent.mkdir()
        log.write_text("why")
        logs.append(log)
        raise StepError("Starting the gateway", StartError("It ended with exit code 78.", log))

    monkeypatch.setattr(main_module, "demonstrate", fail)
    assert await run(QUESTION, as_json=True) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Starting the gateway failed. It ended with exit code 78." in printed.err
    assert f"Read {logs[0]}" in printed.err
    assert logs[0].read_text() == "why"


async def test_success_leaves_nothing_behind(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The times are a line, and the folder of the run is removed."""
    report = Report(
        question=QUESTION,
        answer=ANSWER,
        deltas=3,
        first_delta_s=1.0,
        complete_s=2.5,
        gateway_version="1",
        home_assistant_version="2",
    )

    async def succeed(question: str, folder: Path) -> Report:
        return report

    monkeypatch.setattr(main_module, "demonstrate", succeed)
    assert await run(QUESTION, as_json=False) == 0

    assert capsys.readouterr().out == "First text after 1.00 s, complete after 2.50 s, 3 deltas.\n"
    assert list((checkout / ".demo").iterdir()) == []

"""How the bench sets up its Home Assistant, prints, and fails. Measuring is for scripts/bench."""

import json
from pathlib import Path

import pytest

from demo import stage
from demo.bench import main as main_module
from demo.bench.figures import Figures
from demo.bench.homes import FOLDER, add_component
from demo.bench.main import run
from demo.home_assistant import HomeAssistantProcess, write_config
from demo.process import StartError
from demo.stage import StepError

from .test_figures import FIGURES


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the bench write into a folder of the test."""
    monkeypatch.setattr(stage, "CHECKOUT", tmp_path)
    return tmp_path


def test_the_probe_stays_when_home_assistant_starts(tmp_path: Path, socket_enabled: None) -> None:
    """Its own configuration is not written over."""
    home = HomeAssistantProcess(tmp_path / "home")
    add_component(home, "loop_probe")
    write_config(home.folder, home.port)
    lines = (home.folder / "configuration.yaml").read_text().splitlines()
    assert "loop_probe:" in lines
    assert "recorder:" in lines
    assert (home.folder / "custom_components" / "loop_probe").resolve() == (
        FOLDER / "loop_probe"
    ).resolve()
    manifest = json.loads((FOLDER / "loop_probe" / "manifest.json").read_text())
    assert manifest["domain"] == "loop_probe"


@pytest.mark.parametrize("as_json", [False, True])
async def test_json_is_the_last_line(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table comes before it, and nothing of the run is left."""

    async def measure(questions: int, folder: Path) -> Figures:
        assert questions == 3
        return FIGURES

    monkeypatch.setattr(main_module, "measure", measure)
    assert await run(3, as_json=as_json) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("OpenClaw gateway")
    assert (lines[-1] == json.dumps(FIGURES.as_json())) is as_json
    assert not list((stage.CHECKOUT / ".bench").iterdir())


async def test_a_failure_names_the_log_and_keeps_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed to stdout then."""

    async def measure(_: int, folder: Path) -> Figures:
        log = folder / "output.log"
        log.touch()
        raise StepError("Starting the gateway", StartError("It ended.", log))

    monkeypatch.setattr(main_module, "measure", measure)
    assert await run(1, as_json=True) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Starting the gateway failed. It ended." in err
    (folder,) = (stage.CHECKOUT / ".bench").iterdir()
    assert f"Read {folder / 'output.log'}" in err


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_without_a_question_there_is_nothing_to_measure(
    number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line is refused before anything starts."""
    monkeypatch.setattr("sys.argv", ["bench", "--questions", number])
    with pytest.raises(SystemExit):
        main_module.main()
    assert "--questions" in capsys.readouterr().err

"""The command line of scripts/develop."""

import json
from pathlib import Path

import pytest

from demo import develop, offline_voice
from demo.develop import Settings


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--token", "secret"], "--gateway"),
        (["--gateway", "eyJ1cmwiOiJ3czovL2dhdGV3YXkifQ"], "belongs to --token"),
    ],
)
def test_what_does_not_say_where_the_gateway_is_is_refused(
    arguments: list[str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything starts, and a setup code does not become the name of a folder."""
    monkeypatch.setattr("sys.argv", ["develop", *arguments])
    with pytest.raises(SystemExit):
        develop.main()
    assert complaint in capsys.readouterr().err


def test_a_home_is_found_where_it_was(tmp_path: Path, socket_enabled: None) -> None:
    """What Home Assistant has stored stays; what an earlier version did not know is added once."""
    path = tmp_path / "new" / "gateway.json"
    made = Settings.load(path)
    assert Settings.load(path) == made
    assert len({made.port, made.voice_port}) == 2

    path.write_text(json.dumps({"port": 18789, "token": "secret"}))
    added = Settings.load(path)
    assert (added.port, added.token) == (18789, "secret")
    assert Settings.load(path) == added


class Client:
    """Hands out tokens."""

    def __init__(self) -> None:
        """None so far."""
        self.tokens = 0

    async def call(self, command: str, **fields: object) -> str:
        """Make another token."""
        assert command == "auth/long_lived_access_token"
        self.tokens += 1
        return f"token-{self.tokens}"


async def test_satellites_get_one_token(tmp_path: Path) -> None:
    """In a file that only its owner reads."""
    client = Client()
    for _ in range(2):
        path = await develop.satellite_token(client, tmp_path / "token")  # type: ignore[arg-type]  # as far as it is used
        assert path.read_text() == "token-1"
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_its_programs_nothing_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them have to be there."""
    found = {"flite", "ffmpeg"}
    monkeypatch.setattr(offline_voice, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(
        offline_voice.shutil, "which", lambda program: program if program in found else None
    )
    assert not offline_voice.is_installed()
    (tmp_path / "python").touch()
    assert offline_voice.is_installed()
    found.remove("flite")
    assert not offline_voice.is_installed()

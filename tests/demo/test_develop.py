"""The command line of scripts/develop."""

import pytest

from demo import develop


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

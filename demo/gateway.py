"""A real OpenClaw gateway as a child process, with its own configuration, state and home folder.

How it is configured and started keeps it off the network and away from a gateway the user may have.
"""

import asyncio
from collections.abc import Sequence
import json
import os
from pathlib import Path
import platform
import secrets
import shutil
import sys
from typing import Any, Final, Self

import aiohttp

from .model_server import MODEL_ID
from .process import CHECKOUT, ChildProcess, StartError, clean_environment, free_port

START_LIMIT: Final = 180.0
"""Seconds until ready. It takes 11 to 15 on two shared cores, 19 under load."""

STOP_LIMIT: Final = 5.0
"""Seconds for an orderly end. An idle gateway needs one; a busy one would wait for its run, up to 315."""

COMMAND_LIMIT: Final = 30.0
PROBE_LIMIT: Final = 2.0

PROVIDER: Final = "demo"
REALTIME_MODEL: Final = "gpt-realtime-2.1"
"""Any that the gateway takes for one of its realtime models."""

_MACHINES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

type JsonObject = dict[str, Any]


class GatewayProcess:
    """One gateway: its folder, its address and its process, which may be stopped and started again."""

    def __init__(
        self,
        folder: Path,
        model_base_url: str,
        *,
        agents: Sequence[str] = ("main",),
        default_agent: str | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        token: str | None = None,
        tls: bool = False,
        overrides: JsonObject | None = None,
    ) -> None:
        """Prepare a gateway that keeps all it writes in `folder`.

        Args:
            folder: Created when missing. Two running gateways must not share it.
            model_base_url: Where the OpenAI-compatible model server listens.
            agents: Ids of the agents.
            default_agent: Which of several agents answers for callers that name none.
            host: An IPv4 address of this machine to listen on, besides 127.0.0.1.
            port: A free one by default.
            token: The shared secret; a random one by default.
            tls: Serve TLS with a certificate the gateway signs itself.
            overrides: Merged over the configuration, deeply.
        """
        self.folder = folder
        self.host = host
        self.port = port or free_port()
        self.token = token or secrets.token_urlsafe(24)
        self._tls = tls
        self._child: ChildProcess | None = None
        self._is_configured = False
        self._config = merged(
            gateway_config(
                folder,
                model_base_url,
                agents=agents,
                default_agent=default_agent,
                host=host,
                port=self.port,
                token=self.token,
                tls=tls,
            ),
            overrides or {},
        )

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.terminate()

    @property
    def url(self) -> str:
        """The address clients connect to."""
        return f"{'wss' if self._tls else 'ws'}://{self.host}:{self.port}"

    @property
    def version(self) -> str:
        """The version of the installed gateway."""
        package = json.loads((_package("openclaw") / "package.json").read_text())
        return str(package["version"])

    @property
    def log_path(self) -> Path:
        """What the process printed; the gateway's own log lies beside it."""
        return self.folder / "output.log"

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.is_running

    async def start(self) -> None:
        """Start it and wait until it serves.

        Raises:
            StartError: It is not installed, ended, or was not ready in time.
        """
        for name in ("home", "state", "workspace"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # Once: the gateway may rewrite its file, and a restart takes up what it finds.
        if not self._is_configured:
            self._config_path.write_text(json.dumps(self._config, indent=2))
            self._is_configured = True
        self._child = ChildProcess.start(
            "The gateway",
            [*self._program(), "gateway", "run", "--port", str(self.port)],
            env=self._environment(),
            cwd=self.folder,
            log_path=self.log_path,
        )
        try:
            async with aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PROBE_LIMIT)
            ) as session:
                await self._child.wait_until(lambda: self._is_ready(session), limit=START_LIMIT)
        except BaseException:
            self.kill()
            raise

    async def terminate(self) -> None:
        """Stop it in order, or after some seconds with force. Idempotent."""
        if self._child:
            await self._child.stop(limit=STOP_LIMIT)
            self._child = None

    def kill(self) -> None:
        """Kill it at once. Idempotent."""
        if self._child:
            self._child.kill()
            self._child = None

    async def restart(self) -> None:
        """Stop it in order and start it again with the same address, secret and state."""
        await self.terminate()
        await self.start()

    async def command(self, *arguments: str, limit: float = COMMAND_LIMIT) -> str:
        """Run the gateway's command line on this instance, as its owner would, and return what it prints.

        Raises:
            StartError: The command failed or took too long.
        """
        process = await asyncio.create_subprocess_exec(
            *self._program(),
            *arguments,
            env=self._environment(),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        name = f"openclaw {' '.join(arguments[:2])}"
        try:
            async with asyncio.timeout(limit):
                output, errors = await process.communicate()
        except TimeoutError:
            raise StartError(
                f"{name} did not end within {limit:.0f} seconds.", self.log_path
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise StartError(
                f"{name} failed: {errors.decode(errors='replace').strip()[-500:]}", self.log_path
            )
        return output.decode()

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        """Return whether it says that it has started."""
        url = f"{'https' if self._tls else 'http'}://{self.host}:{self.port}/startupz"
        try:
            async with session.get(url, ssl=False) as response:
                return response.ok
        except aiohttp.ClientError, TimeoutError:
            return False

    @property
    def _config_path(self) -> Path:
        return self.folder / "openclaw.json"

    @staticmethod
    def _program() -> list[str]:
        """Return the command that runs the installed gateway on the Node.js installed beside it."""
        return [str(node_path()), str(_package("openclaw") / "openclaw.mjs")]

    def _environment(self) -> dict[str, str]:
        """Return an environment in which only this instance exists."""
        return clean_environment(
            without=("OPENCLAW_", "XDG_", "NODE_OPTIONS"),
            HOME=str(self.folder / "home"),
            OPENCLAW_STATE_DIR=str(self.folder / "state"),
            OPENCLAW_CONFIG_PATH=str(self._config_path),
            OPENCLAW_DISABLE_BONJOUR="1",
            # The process we start is the process that stays.
            OPENCLAW_NO_RESPAWN="1",
            OPENCLAW_SKIP_CHANNELS="1",
            OPENCLAW_EXEC_SHELL_SNAPSHOT="0",
            OPENCLAW_NO_AUTO_UPDATE="1",
            NO_COLOR="1",
        )


def gateway_config(
    folder: Path,
    model_base_url: str,
    *,
    agents: Sequence[str],
    default_agent: str | None,
    host: str,
    port: int,
    token: str,
    tls: bool,
) -> JsonObject:
    """Return the smallest configuration of a gateway that stays off the network."""
    gateway: JsonObject = {
        "mode": "local",
        "port": port,
        "bind": "loopback",
        "auth": {"mode": "token", "token": token},
        "controlUi": {"enabled": False},
    }
    if host != "127.0.0.1":
        gateway |= {"bind": "custom", "customBindHost": host}
    if tls:
        gateway["tls"] = {"enabled": True}
    model = {
        "id": MODEL_ID,
        "name": "Demo",
        "reasoning": False,
        "input": ["text", "image"],
        "contextWindow": 131072,
        "maxTokens": 8192,
    }
    provider = {
        "baseUrl": model_base_url,
        "apiKey": "none",
        "api": "openai-completions",
        "models": [model],
    }
    return {
        "gateway": gateway,
        "update": {"checkOnStart": False},
        "models": {"catalogRefresh": {"enabled": False}, "providers": {PROVIDER: provider}},
        "agents": _agents_config(folder, agents, default_agent),
        "logging": {"file": str(folder / "gateway.log")},
    }


def _agents_config(folder: Path, agents: Sequence[str], default_agent: str | None) -> JsonObject:
    """Return the part about agents; a single one is the gateway's own default."""
    defaults: JsonObject = {
        "model": {"primary": f"{PROVIDER}/{MODEL_ID}"},
        "workspace": str(folder / "workspace"),
        "skipBootstrap": True,
        "heartbeat": {"every": "0m"},
    }
    if default_agent:
        defaults["systemAgent"] = {"agentId": default_agent}
    if tuple(agents) == ("main",):
        return {"defaults": defaults}
    entries = {agent: {"workspace": str(folder / f"workspace-{agent}")} for agent in agents}
    return {"defaults": defaults, "ownership": "explicit", "entries": entries}


def realtime_config(
    provider_url: str, *, voice: str = "cedar", routing: str | None = None
) -> JsonObject:
    """Return what makes a gateway talk with the realtime provider at an address; for `overrides`.

    Args:
        provider_url: Where it listens: `demo.voice.realtime_provider`.
        voice: The one that is used when a session names none.
        routing: `force-agent-consult` has every question answered by the agent.
    """
    provider = {
        "apiKey": "none",
        "azureEndpoint": provider_url,
        "model": REALTIME_MODEL,
        "speakerVoice": voice,
    }
    realtime: JsonObject = {
        "provider": "openai",
        "mode": "realtime",
        "transport": "gateway-relay",
        "brain": "agent-consult",
        "providers": {"openai": provider},
    }
    if routing is not None:
        realtime["consultRouting"] = routing
    return {"talk": {"realtime": realtime}}


def merged(base: JsonObject, over: JsonObject) -> JsonObject:
    """Return `base` with the values of `over`, object by object."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = (
            merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return result


def node_path() -> Path:
    """Return the Node.js installed from npm for this system, else one on the `PATH`.

    Raises:
        StartError: There is neither.
    """
    system = "darwin" if sys.platform == "darwin" else "linux"
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    packaged = CHECKOUT / "node_modules" / f"node-{system}-{machine}" / "bin" / "node"
    if os.access(packaged, os.X_OK):
        return packaged
    if installed := shutil.which("node"):
        return Path(installed)
    raise StartError("There is no Node.js to run the gateway on; scripts/setup installs it.")


def _package(name: str) -> Path:
    """Return the folder of an installed npm package.

    Raises:
        StartError: It is not installed.
    """
    folder = CHECKOUT / "node_modules" / name
    if not folder.is_dir():
        raise StartError(f"The npm package {name} is not installed; scripts/setup installs it.")
    return folder

"""A real Home Assistant as a child process, with this checkout's integration in its configuration folder.

The folder is written so that it starts alone: nothing asks for the internet, and only the owner's account is left
of onboarding.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import sys
from typing import Any, Final, Self

import aiohttp

from .client import HomeAssistantClient
from .process import CHECKOUT, ChildProcess, StartError, clean_environment, free_port

DOMAIN: Final = "openclaw_voice"

START_LIMIT: Final = 240.0
"""Seconds until started. It takes 5, and longer the first time, when requirements are still missing."""

STOP_LIMIT: Final = 60.0
"""Seconds for an orderly end. It takes 2."""

REQUEST_LIMIT: Final = 10.0

CONFIGURATION: Final = """\
homeassistant:
  name: Demo home
  time_zone: Europe/Berlin
  unit_system: metric
  country: DE
  language: en
  currency: EUR
  latitude: 52.5
  longitude: 13.4
  elevation: 34
  # Its own default would be a folder outside of the configuration when it runs in a container.
  media_dirs:
    local: media
api:
assist_pipeline:
automation: !include automations.yaml
config:
conversation:
frontend:
history:
logbook:
logger:
  default: warning
  logs:
    custom_components: debug
mobile_app:
recorder:
  commit_interval: 1
repairs:
system_health:
"""

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The owner's account. It exists only in a Home Assistant that listens on this computer."""

    name: str = "Demo"
    username: str = "demo"
    password: str = "demo-password"


class HomeAssistantProcess:
    """One Home Assistant: its folder, its address, its owner and its process."""

    def __init__(
        self, folder: Path, *, port: int | None = None, account: Account | None = None
    ) -> None:
        """Prepare a Home Assistant whose configuration is in `folder`; the port is a free one by default."""
        self.folder = folder
        self.port = port or free_port()
        self.account = account or Account()
        self._child: ChildProcess | None = None
        self._refresh_token = ""

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.terminate()

    @property
    def url(self) -> str:
        """Its address for browsers and clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        """What the process logged."""
        return self.folder / "output.log"

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.is_running

    async def start(self) -> None:
        """Start it, make the owner's account when there is none, and wait until all is set up.

        Raises:
            StartError: It is not installed, ended, or was not ready in time.
        """
        write_config(self.folder, self.port)
        self._child = ChildProcess.start(
            "Home Assistant",
            [_environment_bin() / "hass", "--config", self.folder],
            env=_environment(),
            cwd=self.folder,
            log_path=self.log_path,
        )
        try:
            timeout = aiohttp.ClientTimeout(total=REQUEST_LIMIT)
            async with aiohttp.ClientSession(self.url, timeout=timeout) as session:
                await self._child.wait_until(lambda: self._has_owner(session), limit=START_LIMIT)
            async with self.connect() as client:

                async def is_started() -> bool:
                    return bool((await client.call("get_config"))["state"] == "RUNNING")

                await self._child.wait_until(is_started, limit=START_LIMIT)
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

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[HomeAssistantClient]:
        """Connect a client as the owner; it is closed when the block is left."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_LIMIT)
        async with aiohttp.ClientSession(self.url, timeout=timeout) as session:
            tokens = await self._tokens(
                session, {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
            )
        async with HomeAssistantClient.connect(self.url, tokens["access_token"]) as client:
            yield client

    async def _has_owner(self, session: aiohttp.ClientSession) -> bool:
        """Return whether it serves and its owner could log in; make the account when there is none."""
        try:
            async with session.get("/api/onboarding") as response:
                # Once onboarding is done and Home Assistant has restarted, there is no such page.
                todo = await response.json() if response.ok else []
            steps = {step["step"]: step["done"] for step in todo}
            if steps.get("user") is False:
                code = await self._create_owner(session)
            else:
                code = await self._log_in(session)
        except aiohttp.ClientError, TimeoutError:
            # It serves in steps: some pages are there before others.
            return False
        tokens = await self._tokens(session, {"grant_type": "authorization_code", "code": code})
        self._refresh_token = tokens["refresh_token"]
        return True

    async def _create_owner(self, session: aiohttp.ClientSession) -> str:
        """Answer the one question of onboarding that is left and return an authorization code."""
        owner = {
            "client_id": self._client_id,
            "name": self.account.name,
            "username": self.account.username,
            "password": self.account.password,
            "language": "en",
        }
        async with session.post(
            "/api/onboarding/users", json=owner, raise_for_status=True
        ) as response:
            return str((await response.json())["auth_code"])

    async def _log_in(self, session: aiohttp.ClientSession) -> str:
        """Log in as the owner and return an authorization code."""
        flow = {
            "client_id": self._client_id,
            "handler": ["homeassistant", None],
            "redirect_uri": f"{self.url}/?auth_callback=1",
        }
        async with session.post("/auth/login_flow", json=flow, raise_for_status=True) as response:
            flow_id = (await response.json())["flow_id"]
        answer = {
            "client_id": self._client_id,
            "username": self.account.username,
            "password": self.account.password,
        }
        async with session.post(
            f"/auth/login_flow/{flow_id}", json=answer, raise_for_status=True
        ) as response:
            result = await response.json()
        if result["type"] != "create_entry":
            raise StartError(
                f"Home Assistant does not know {self.account.username} with the demo's password; "
                f"remove {self.folder} to start afresh.",
                self.log_path,
            )
        return str(result["result"])

    async def _tokens(self, session: aiohttp.ClientSession, grant: JsonObject) -> JsonObject:
        """Exchange a code or a refresh token for tokens."""
        form = grant | {"client_id": self._client_id}
        async with session.post("/auth/token", data=form, raise_for_status=True) as response:
            tokens: JsonObject = await response.json()
        return tokens

    @property
    def _client_id(self) -> str:
        """The page that Home Assistant takes us for."""
        return f"{self.url}/"


def write_config(folder: Path, port: int) -> None:
    """Write what a first start needs; what is there already, but for the address, stays."""
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    link = folder / "custom_components" / DOMAIN
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(CHECKOUT / "custom_components" / DOMAIN, target_is_directory=True)
    configuration = folder / "configuration.yaml"
    if not configuration.exists():
        configuration.write_text(CONFIGURATION)
        (folder / "automations.yaml").touch()
        (folder / "media").mkdir()
        # The step "core_config" would set up integrations that need the internet.
        _store(storage, "onboarding", (4, 1), {"done": ["core_config", "analytics", "integration"]})
    _store(storage, "http", (2, 2), _http_settings(port))


def _http_settings(port: int) -> JsonObject:
    """Return the stored settings of a server that only this computer reaches."""
    stable = {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": False,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": datetime.now(UTC).isoformat(),
        "error": None,
        "error_message": None,
    }
    return {"stable": stable, "pending": None, "yaml_migration_done": True}


def _store(storage: Path, key: str, version: tuple[int, int], content: JsonObject) -> None:
    """Write one of Home Assistant's storage files."""
    major, minor = version
    document = {"version": major, "minor_version": minor, "key": key, "data": content}
    (storage / key).write_text(json.dumps(document, indent=2))


def _environment_bin() -> Path:
    """Return the folder of programs of the Python environment that runs us."""
    return Path(sys.prefix) / "bin"


def _environment() -> dict[str, str]:
    """Return an environment in which Home Assistant installs requirements beside itself.

    Without compiled modules every start takes several seconds more.
    """
    path = os.pathsep.join([str(_environment_bin()), os.environ.get("PATH", os.defpath)])
    return clean_environment(without=("PYTHONDONTWRITEBYTECODE", "PYTHONPATH"), PATH=path)

"""`scripts/develop`: the demo's stage kept standing, for a browser and for changes to the integration.

What it sets up is kept between runs in a folder of the checkout that git ignores.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import re
import secrets
from typing import Final, Self

from .client import HomeAssistantClient
from .gateway import GatewayProcess, realtime_config
from .home_assistant import HomeAssistantProcess
from .model_server import ModelServer
from .offline_voice import OfflineVoice, is_installed, offline_voice
from .process import CHECKOUT, StartError, free_port, is_port_free
from .stage import (
    PIPELINE_NAME,
    StepError,
    add_gateway,
    run_until_signal,
    say,
    start_gateway,
    start_home_assistant,
    step,
)
from .voice.pipeline import prefer_voice
from .voice.speech_model import Consult

DEFAULT_PORT: Final = 8123
TOKEN_NAME: Final = "scripts/satellite"
TOKEN_DAYS: Final = 3650
WATCH_INTERVAL: Final = 1.0
"""Seconds between two looks at what runs."""


type Process = HomeAssistantProcess | GatewayProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Addresses and the secret of the earlier runs, which Home Assistant has stored."""

    port: int
    token: str

    voice_port: int
    """Where Home Assistant has found a voice."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read them; what is missing, all of it at the first run, is made."""
        known = json.loads(path.read_text()) if path.exists() else {}
        made = {
            "port": free_port(),
            "token": secrets.token_urlsafe(24),
            "voice_port": free_port(),
        }
        settings = cls(**(made | known))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(settings)))
        return settings


async def run(port: int, gateway_url: str | None, token: str | None) -> int:
    """Start everything and keep it running until a signal comes or a part of it ends."""
    # A home with another gateway is another home, so that neither spoils the other's entry.
    name = re.sub(r"\W+", "-", gateway_url) if gateway_url else "demo-gateway"
    folder = CHECKOUT / ".develop" / name
    home = HomeAssistantProcess(folder / "home-assistant", port=port)
    try:
        async with AsyncExitStack() as stack:
            with step(f"Looking for port {port}"):
                if not is_port_free(port):
                    raise StartError(f"Port {port} is in use; choose another with --port.")
            stack.push_async_callback(home.terminate)
            processes: list[Process] = [home]
            settings = Settings.load(folder / "gateway.json")
            voice = await _start_voice(stack, folder, settings)
            if gateway_url is None:
                gateway = await _prepare_gateway(stack, folder, settings, voice)
                processes.append(gateway)
                gateway_url, token = gateway.url, gateway.token
                async with asyncio.TaskGroup() as starts:
                    starts.create_task(start_gateway(gateway))
                    starts.create_task(start_home_assistant(home))
            else:
                await start_home_assistant(home)
            async with home.connect() as client:
                await _add_integration(client, gateway_url, token, voice)
                token_file = await satellite_token(client, folder / "token")
            _tell(home, token_file)
            ended = await _first_to_end(processes)
            say(f"It ended by itself. Read {ended.log_path}")
    except* StepError as group:
        for err in group.exceptions:
            say(str(err))
        if folder.exists():
            say(f"Read the logs in {folder}")
    return 1


async def _start_voice(
    stack: AsyncExitStack, folder: Path, settings: Settings
) -> OfflineVoice | None:
    """Start what hears and speaks, if this computer can."""
    if not is_installed():
        say("Nothing can hear or speak: scripts/setup speech installs what is missing.")
        return None
    with step("Starting a recogniser and a voice"):
        voice = await stack.enter_async_context(offline_voice(folder, port=settings.voice_port))
    voice.provider.model.mind.otherwise = Consult()
    return voice


async def _prepare_gateway(
    stack: AsyncExitStack, folder: Path, settings: Settings, voice: OfflineVoice | None
) -> GatewayProcess:
    """Start a model server and make the gateway that will use it, and the speech model."""
    model = await stack.enter_async_context(ModelServer())
    gateway = GatewayProcess(
        folder / "gateway",
        model.base_url,
        port=settings.port,
        token=settings.token,
        overrides=realtime_config(voice.provider.url) if voice else None,
    )
    stack.push_async_callback(gateway.terminate)
    return gateway


async def _add_integration(
    client: HomeAssistantClient, url: str, token: str | None, voice: OfflineVoice | None
) -> None:
    """Add the integration, if it is not there, and let Assist prefer its agent.

    What somebody has to decide, such as whether a certificate is the right one, is left to the browser.
    """
    try:
        with step("Adding the integration through its config flow"):
            agent = await add_gateway(client, url, token)
    except StepError as err:
        say(str(err))
        say("Go on in the browser: Settings, Devices & services.")
        return
    with step("Making an Assist pipeline with the agent"):
        if voice:
            await prefer_voice(client, agent.entity_id, voice.server, name=PIPELINE_NAME)
        else:
            await client.prefer_agent(agent.entity_id, name=PIPELINE_NAME)


async def satellite_token(client: HomeAssistantClient, path: Path) -> Path:
    """Return the file with an access token for satellites; it is made at the first run."""
    if not path.exists():
        token = await client.call(
            "auth/long_lived_access_token", client_name=TOKEN_NAME, lifespan=TOKEN_DAYS
        )
        path.touch(mode=0o600)
        path.write_text(token)
    return path


async def _first_to_end(processes: Sequence[Process]) -> Process:
    """Wait until one of the processes has ended."""
    while True:
        for process in processes:
            if not process.is_running:
                return process
        await asyncio.sleep(WATCH_INTERVAL)


def _tell(home: HomeAssistantProcess, token_file: Path) -> None:
    """Say how to use what runs now."""
    say(f"Home Assistant: {home.url}")
    say(f"Log in as {home.account.username} with the password {home.account.password}")
    say("Press the key a there to talk to your agent; or talk as a realtime satellite does:")
    say(f"  scripts/satellite {home.url} --token-file {token_file.relative_to(CHECKOUT)}")
    say("The log is in")
    say(f"  {home.log_path}")
    say("Ctrl-C stops everything.")


def _address(text: str) -> str:
    """Return the address of a gateway, which also names the folder of its home."""
    if re.fullmatch(r"eyJ[\w+/=-]{17,}", text):
        raise argparse.ArgumentTypeError("a setup code belongs to --token, beside the address")
    return text


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        prog="scripts/develop",
        description="Keep a Home Assistant with this integration and an OpenClaw gateway running.",
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="where Home Assistant listens (8123)"
    )
    parser.add_argument(
        "--gateway",
        metavar="URL",
        type=_address,
        help="pair with your own gateway, for example ws://gateway.local:18789",
    )
    parser.add_argument(
        "--token", help="its token or password, or a setup code of it; none if it asks for none"
    )
    options = parser.parse_args()
    if options.token and not options.gateway:
        parser.error("--token is for a gateway of your own: --gateway")
    return run_until_signal(run(options.port, options.gateway, options.token))


if __name__ == "__main__":
    raise SystemExit(main())

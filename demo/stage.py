"""Setting the stage: steps that say what they do, and the integration added the way a user adds it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
import shutil
import signal
import sys
import tempfile
import time
from typing import Final

import aiohttp

from .client import HomeAssistantClient, HomeAssistantError
from .config_flow import Shown, run_config_flow
from .gateway import GatewayProcess, JsonObject
from .home_assistant import DOMAIN, HomeAssistantProcess
from .model_server import ModelServer
from .process import CHECKOUT, DemoError

PIPELINE_NAME: Final = "OpenClaw"

_STARTED_AT: Final = time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A conversation agent of the integration."""

    entry_id: str
    entity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs for one demo."""

    model: ModelServer
    gateway: GatewayProcess
    home: HomeAssistantProcess
    client: HomeAssistantClient
    agent: Agent


class StepError(DemoError):
    """A step failed."""

    def __init__(self, name: str, reason: Exception) -> None:
        """Say which step failed, and why."""
        super().__init__(
            f"{name} failed. {reason}", reason.log_path if isinstance(reason, DemoError) else None
        )


@contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step on stderr and name it when it fails.

    Raises:
        StepError: A program or Home Assistant did not do what the step needs.
    """
    say(f"{name} …")
    try:
        yield
    except BrokenPipeError:
        # Nobody reads our output, which is no failure of the step.
        raise
    except (DemoError, aiohttp.ClientError, OSError) as err:
        raise StepError(name, err) from err


def say(text: str) -> None:
    """Print one line of progress, with the seconds since the start, to stderr."""
    print(f"[{time.monotonic() - _STARTED_AT:5.1f} s] {text}", file=sys.stderr, flush=True)


async def start_gateway(gateway: GatewayProcess) -> None:
    """Start the gateway as a step."""
    with step("Starting the gateway"):
        await gateway.start()
        say(f"The gateway {gateway.version} is ready.")


async def start_home_assistant(home: HomeAssistantProcess) -> None:
    """Start Home Assistant as a step."""
    with step("Starting Home Assistant"):
        await home.start()
        say("Home Assistant is ready.")


async def stop(gateway: GatewayProcess, home: HomeAssistantProcess) -> None:
    """Stop both, whatever happens to either."""
    say("Stopping …")
    try:
        await home.terminate()
    finally:
        await gateway.terminate()


@asynccontextmanager
async def set_stage(folder: Path, *, overrides: JsonObject | None = None) -> AsyncIterator[Stage]:
    """Start everything in a folder, add the integration, and stop everything when the block is left.

    Args:
        folder: Where everything keeps what it writes.
        overrides: Merged over the configuration of the gateway.

    Raises:
        StepError: Something could not be started or set up.
    """
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ModelServer())
        gateway = GatewayProcess(folder / "gateway", model.base_url, overrides=overrides)
        home = HomeAssistantProcess(folder / "home-assistant")
        stack.push_async_callback(stop, gateway, home)
        try:
            async with asyncio.TaskGroup() as starts:
                starts.create_task(start_gateway(gateway))
                starts.create_task(start_home_assistant(home))
        except* StepError as group:
            raise group.exceptions[0] from None
        client = await stack.enter_async_context(home.connect())
        with step("Adding the integration through its config flow"):
            agent = await add_gateway(client, gateway.url, gateway.token)
        yield Stage(model=model, gateway=gateway, home=home, client=client, agent=agent)


@contextmanager
def folder_of_run(parent: str) -> Iterator[Path]:
    """Make a folder for one run in a folder of the checkout, and remove it afterwards.

    When a step fails it stays, and what to read in it is said.
    """
    (CHECKOUT / parent).mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=CHECKOUT / parent))
    is_kept = False
    try:
        yield folder
    except StepError as err:
        is_kept = True
        say(str(err))
        for log in [err.log_path] if err.log_path else sorted(folder.glob("*/output.log")):
            say(f"Read {log}")
        raise
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)


async def add_gateway(client: HomeAssistantClient, url: str, token: str | None) -> Agent:
    """Add the integration for a gateway, unless it has been added before, and return its first agent.

    A gateway whose owner has to approve the integration is waited for; how to do that is said.

    Raises:
        HomeAssistantError: The config flow, the set-up of the entry, or its agent failed.
    """
    entries = await client.entries(DOMAIN)
    if entries:
        entry_id: str = entries[0]["entry_id"]
    else:
        answer = {"url": url} | ({"token": token} if token else {})
        result = await run_config_flow(client, DOMAIN, {"user": answer}, _tell_approval)
        entry_id = result["result"]["entry_id"]
    await client.wait_for_entry(entry_id, "loaded")
    agents = await client.agents_of(entry_id)
    if not agents:
        raise HomeAssistantError("The integration is loaded, but has no conversation agent.")
    return Agent(entry_id=entry_id, entity_id=agents[0]["entity_id"])


def _tell_approval(shown: Shown) -> None:
    """Say how the owner of the gateway lets the integration in."""
    say("The owner of the gateway has to approve this, with a command on its host:")
    print(f"\n    {shown['command']}\n", file=sys.stderr, flush=True)
    say(f"or at {shown['web']}, where the device is named Home Assistant. Waiting …")


def run_until_signal(main: Coroutine[None, None, int]) -> int:
    """Run a program to its end, or cancel it at the first signal, and return its exit code.

    Further signals are ignored, so that what was started is stopped whatever happens; all of that has limits.
    """
    return asyncio.run(_until_signal(main))


async def _until_signal(main: Coroutine[None, None, int]) -> int:
    """Run a program as a task that signals cancel."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not received:
            received.append(number)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            return 128 + received[0]
        raise

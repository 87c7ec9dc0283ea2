"""Record exchanges with a real gateway, for the tests that replay them.

How to record an exchange: write a coroutine that takes a `Stage` and mark it with `@scenario` in `scenarios` (or
beside it, in a file that is imported here), then run

    .venv/bin/python -m tests.recordings.record agent-silent agent-empty

from the checkout (no name records all). Each scenario is written to `tests/recordings/<name>.jsonl`: one JSON object
a line with `t` (seconds), `dir` (`out`, `in`, `close` or `note`), `conn` and `frame`. Secrets, keys, addresses, host
names and paths are replaced, and events that say nothing about a run are left out. Read the file before you commit it.
"""

import argparse
import asyncio
import json
from pathlib import Path
import platform
import re
import socket
import sys
import tempfile
from typing import Any, Final

from demo.gateway import GatewayProcess
from demo.model_server import ModelServer

from . import asking, unasked  # noqa: F401 - they add their scenarios
from .recording import FOLDER
from .scenarios import SCENARIOS, whole_run
from .wire import JsonObject, Stage

LONG_FIELDS: Final = frozenset(
    {
        "contextBudgetStatus",
        "defaults",
        "deltaCursor",
        "expandedParticipants",
        "participants",
        "placement",
        "session",
        "systemPromptReport",
    }
)
"""Fields of hundreds to thousands of bytes that no client reads."""

MAX_TEXT: Final = 2_000
"""Characters of a text that are recorded."""


async def record(names: list[str], folder: Path) -> None:
    """Record scenarios one after the other on one gateway."""
    host = local_address()
    with tempfile.TemporaryDirectory() as work:
        async with (
            ModelServer() as model,
            GatewayProcess(Path(work), model.base_url, host=host) as gateway,
        ):
            await _warm_up(Stage(gateway, host))
            for name in names:
                stage = Stage(gateway, host)
                stage.log.note(SCENARIOS[name].__doc__ or name)
                stage.log.note(f"gateway {gateway.version}, protocol 4")
                await SCENARIOS[name](stage)
                lines = [
                    json.dumps(line, ensure_ascii=False) for line in cleaned(stage.log.lines, stage)
                ]
                (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
                sys.stderr.write(f"{name}: {len(lines)} lines\n")


async def _warm_up(stage: Stage) -> None:
    """Run once for nothing: the first run after a start is slow and not typical."""
    async with stage.operator() as wire:
        await whole_run(wire, stage.run("MODEL:SAY ready"))


def cleaned(lines: list[JsonObject], stage: Stage) -> list[JsonObject]:
    """Return the lines without secrets and without what is particular to this computer."""
    checkout = str(FOLDER.parent.parent)
    text = json.dumps([_shortened(line) for line in lines], ensure_ascii=False)
    for private, public in (
        (stage.gateway.token, "<token>"),
        (stage.identity.id, "<device-id>"),
        (stage.identity.public_key, "<public-key>"),
        (str(stage.gateway.folder), "/home/user/gateway"),
        (checkout, "/home/user/checkout"),
        (stage.remote_host, "192.0.2.10"),
        (socket.gethostname(), "gateway-host"),
        (platform.release(), "6.1.0"),
    ):
        text = text.replace(private, public)
    text = re.sub(r'("signature": ")[^"]+', r"\1<signature>", text)
    text = re.sub(
        r'("(?:deviceToken|recoveryScope|appliedConfigHash)": ")[^"]+', r"\1<secret>", text
    )
    text = re.sub(r"(/__openclaw__/cap/)[\w-]+", r"\1<secret>", text)
    result: list[JsonObject] = json.loads(text)
    return result


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value without the long fields no client reads."""
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {
            key: _omitted(item) if _is_long(key, item) else _shortened(item)
            for key, item in value.items()
        }
    return value


def _is_long(key: str, value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether a field is long and of no use; the prompts of the gateway's own jobs are."""
    return key in LONG_FIELDS or (isinstance(value, str) and len(value) > MAX_TEXT)


def _omitted(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Say what was left out."""
    return f"<omitted, {len(json.dumps(value))} bytes of JSON>"


def local_address() -> str:
    """Return this computer's own address, from which a connection counts as one from another host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: only asks which address a packet would have.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def main() -> None:
    """Record what the command line names."""
    parser = argparse.ArgumentParser(description="Record exchanges with a real gateway.")
    parser.add_argument("scenario", nargs="*", help=", ".join(SCENARIOS))
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where to write; default: beside this script"
    )
    arguments = parser.parse_args()
    asyncio.run(record(arguments.scenario or list(SCENARIOS), arguments.folder))


if __name__ == "__main__":
    main()

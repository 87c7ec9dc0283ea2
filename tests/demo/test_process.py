"""Programs that do not outlive us."""

import asyncio
import os
from pathlib import Path
import select
import signal
import subprocess
import sys

import pytest

from demo.process import CHECKOUT, ChildProcess, StartError, clean_environment, is_port_free

LIMIT = 10.0


def start(folder: Path, script: str) -> ChildProcess:
    """Start a shell script as a child."""
    return ChildProcess.start(
        "The program",
        ["/bin/sh", "-c", script],
        env=clean_environment(),
        cwd=folder,
        log_path=folder / "output.log",
    )


async def wait_for_output(child: ChildProcess, text: str) -> None:
    """Wait until the child has printed something."""

    async def has_printed() -> bool:
        return text in child.log_path.read_text()

    await child.wait_until(has_printed, limit=LIMIT)


async def never() -> bool:
    """Never be ready."""
    return False


async def test_a_child_is_stopped_in_order(tmp_path: Path) -> None:
    """It gets the chance to end by itself."""
    child = start(tmp_path, "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.01; done")
    await wait_for_output(child, "up")

    await child.stop(limit=LIMIT)

    assert not child.is_running
    assert child.log_path.read_text() == "up\nbye\n"


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """A limit ends the patience."""
    child = start(tmp_path, "trap '' TERM; echo up; while :; do sleep 0.01; done")
    await wait_for_output(child, "up")

    await child.stop(limit=0.1)

    assert not child.is_running


async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """The whole process group goes, even when its leader has ended by itself."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    child = start(tmp_path, "exec 3>pipe; sleep 60 & echo up")
    await wait_for_output(child, "up")

    await child.stop(limit=LIMIT)

    # The pipe ends when nobody is left who could write to it.
    assert select.select([reader], [], [], LIMIT)[0]
    assert os.read(reader, 1) == b""
    os.close(reader)


async def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    """A program that has ended cannot be stopped, and that is fine."""
    child = start(tmp_path, "exit 0")
    await child.stop(limit=LIMIT)
    await child.stop(limit=LIMIT)
    child.kill()
    assert not child.is_running


async def test_a_child_that_ends_early_is_a_failure(tmp_path: Path) -> None:
    """The error says how it ended and which log to read."""
    child = start(tmp_path, "exit 78")
    with pytest.raises(StartError, match=r"The program ended with exit code 78\.") as caught:
        await child.wait_until(never, limit=LIMIT)
    assert caught.value.log_path == tmp_path / "output.log"


async def test_a_child_that_is_never_ready_is_a_failure(tmp_path: Path) -> None:
    """Waiting has a limit."""
    child = start(tmp_path, "sleep 60")
    with pytest.raises(StartError, match="was not ready"):
        await child.wait_until(never, limit=0.1)
    child.kill()


async def test_a_program_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    """The error says so in a sentence."""
    with pytest.raises(StartError, match=r"The program cannot be started: .*No such file"):
        ChildProcess.start(
            "The program",
            [tmp_path / "missing"],
            env={},
            cwd=tmp_path,
            log_path=tmp_path / "output.log",
        )


def test_variables_are_left_out_by_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child sees our environment, less what would change it."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "other")
    monkeypatch.setenv("KEPT", "yes")
    environment = clean_environment(without=("OPENCLAW_",), HOME="/there")
    assert "OPENCLAW_GATEWAY_TOKEN" not in environment
    assert (environment["KEPT"], environment["HOME"]) == ("yes", "/there")


async def test_a_port_in_use_is_not_free(socket_enabled: None) -> None:
    """What listens is noticed."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert not is_port_free(port)
    server.close()
    await server.wait_closed()
    assert is_port_free(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_a_second_one_changes_nothing(number: signal.Signals) -> None:
    """Clean-up runs to its end, and the exit code tells the signal."""
    program = (
        "import asyncio, os, sys\n"
        "from demo.stage import run_until_signal\n"
        "async def main():\n"
        "    try:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        await asyncio.sleep(0.1)\n"
        "        print('cleaned up')\n"
        "    return 0\n"
        "sys.exit(run_until_signal(main()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("cleaned up\n", "")
    assert result.returncode == 128 + number

"""A program started by us, with its own process group and a log, that does not outlive us.

A child belongs to no event loop: it may be started in one and stopped in another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
import contextlib
import os
from pathlib import Path
import signal
import socket
import subprocess
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent

POLL_INTERVAL: Final = 0.05
"""Seconds between two looks at what belongs to no event loop or to another one."""


class DemoError(Exception):
    """Something did not go as the demo needs it; the message is a sentence, `log_path` the log to read, if known."""

    def __init__(self, message: str, log_path: Path | None = None) -> None:
        """Keep the sentence and where to read more."""
        super().__init__(message)
        self.log_path = log_path


class StartError(DemoError):
    """A program cannot be started, ended too early, or was not ready in time."""


class ChildProcess:
    """A running program with everything it starts."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log_path: Path) -> None:
        """Wrap a program that leads its own process group."""
        self._name = name
        self._popen = popen
        self._is_killed = False
        self.log_path = log_path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log_path: Path,
    ) -> ChildProcess:
        """Start a program; its output is appended to the log.

        Raises:
            StartError: The program is not there or cannot be run.
        """
        with log_path.open("ab") as log:
            try:
                popen = subprocess.Popen(
                    command,
                    env=env,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as err:
                raise StartError(f"{name} cannot be started: {err}.") from err
        return cls(name, popen, log_path)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._popen.poll() is None

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]], *, limit: float) -> None:
        """Wait until the program has become ready.

        Raises:
            StartError: It ended first, or took longer than `limit` seconds.
        """
        try:
            async with asyncio.timeout(limit):
                while not await is_ready():
                    if not self.is_running:
                        raise StartError(
                            f"{self._name} ended with exit code {self._popen.returncode}.",
                            self.log_path,
                        )
                    await asyncio.sleep(POLL_INTERVAL)
        except TimeoutError:
            raise StartError(
                f"{self._name} was not ready after {limit:.0f} seconds.", self.log_path
            ) from None

    async def stop(self, *, limit: float) -> None:
        """Ask the program to end; after `limit` seconds, and when cancelled, kill it. Idempotent."""
        self._signal(signal.SIGTERM, group=False)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    while self.is_running:
                        await asyncio.sleep(POLL_INTERVAL)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the program and all it started, and wait for its end. Idempotent."""
        # Only once: later the id may be another group's.
        if not self._is_killed:
            self._signal(signal.SIGKILL, group=True)
            self._popen.wait()
            self._is_killed = True

    def _signal(self, number: signal.Signals, *, group: bool) -> None:
        """Signal the program, or the whole group, which may outlive its leader."""
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self._popen.pid, number)
            else:
                self._popen.send_signal(number)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether nobody listens on this port."""
    with socket.socket() as probe:
        # As servers do: a port left by a server that has just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def clean_environment(without: Sequence[str] = (), **changes: str) -> dict[str, str]:
    """Return this process's environment for a child: less some variables, by prefix, plus some."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(tuple(without))
    }
    return kept | changes

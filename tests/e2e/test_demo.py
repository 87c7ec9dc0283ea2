"""The command a stranger runs first."""

import asyncio
import json
import signal

import pytest

from demo.process import CHECKOUT

LIMIT = 300.0
"""Seconds for one run of the demo. It takes 25."""

pytestmark = [
    pytest.mark.e2e("python", "home-assistant", "gateway"),
    pytest.mark.timeout(LIMIT + 30),
]

KEYS = {
    "question",
    "answer",
    "deltas",
    "first_delta_s",
    "complete_s",
    "gateway_version",
    "home_assistant_version",
}


async def test_the_demo_answers_and_reports(socket_enabled: None) -> None:
    """The answer streams to stdout, the last line is one JSON object, progress is on stderr."""
    question = "Is the kettle — the red one — on?"
    process = await asyncio.create_subprocess_exec(
        CHECKOUT / "scripts" / "demo",
        question,
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output, progress = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()

    assert process.returncode == 0, progress.decode()
    lines = output.decode().splitlines()
    report = json.loads(lines[-1])
    assert set(report) == KEYS
    assert report["question"] == question
    assert question in report["answer"]
    assert report["deltas"] > 1
    assert 0 < report["first_delta_s"] < report["complete_s"]
    assert lines[0] == report["answer"]
    assert len(lines) == 3
    assert "Starting the gateway" in progress.decode()

"""What is made of the measured times, and how it is printed."""

from dataclasses import replace
from typing import Any

import pytest

from demo.bench.figures import (
    Block,
    Figures,
    LongAnswer,
    NotificationBurst,
    longest_blocks,
    longest_burst_blocks,
    percentile,
    ratio,
    table,
)
from demo.bench.first_audio import FirstAudio
from demo.process import DemoError

SHORT = Block(owner="task openclaw gateway reader Connection._read", by_clock=2.0, of_processor=1.0)
LONG = Block(owner="task Task-1 PipelineInput.execute", by_clock=3.0, of_processor=0.5)
ANSWER = LongAnswer(total_s=4.4, bare_s=4.0, deltas=50, our_block=SHORT, any_block=SHORT)
TELLER = Block(
    owner="task openclaw_voice notifications Notifier._async_work", by_clock=1.5, of_processor=1.0
)
PACED = NotificationBurst(
    sent=1000,
    lost=0,
    repeated=0,
    is_in_order=True,
    seconds=10.021,
    behind_s=0.0042,
    our_block=TELLER,
    any_block=LONG,
)
FIGURES = Figures(
    gateway_version="2026.9.6",
    home_assistant_version="2026.10.4",
    added_ms=[1.0, 2.0, 6.0],
    first_text_s=[0.2, 0.3, 0.9],
    bare_first_text_s=[0.2, 0.2, 0.3],
    delta_us=26.04,
    long_delta_us=75.0,
    long_answers=[ANSWER, replace(ANSWER, total_s=4.6, our_block=LONG), ANSWER],
    loads_s=[0.25, 0.1236, 0.1],
    first_audios=[
        FirstAudio(streaming_s=0.5, whole_s=4.0),
        FirstAudio(streaming_s=0.75, whole_s=3.0),
        FirstAudio(streaming_s=1.0, whole_s=3.1),
    ],
    paced=PACED,
    burst=replace(PACED, lost=1, repeated=2, is_in_order=False, seconds=3.0),
)


def row(owner: str, longest: float) -> dict[str, Any]:
    """Return a row of the probe."""
    return {"owner": owner, "longest": longest, "cpu_of_longest": longest / 2}


ROWS = [
    row("protocol websockets.asyncio.client.ClientConnection", 0.001),
    row("task openclaw gateway reader Connection._read", 0.002),
    row("task Task-9 PipelineInput.execute", 0.003),
    row("task recorder", 0.02),
]


def test_json_has_the_agreed_form() -> None:
    """Names and nesting are what others read."""
    assert FIGURES.as_json() == {
        "added_ms": {"median": 2.0, "p95": 6.0, "ratio": 1.5},
        "delta_us": 26.0,
        "long_answer": {"total_s": 4.4, "ratio": 1.1, "max_block_ms": 3.0},
        "load_s": 0.124,
        "first_audio": {"streaming_s": 0.75, "whole_s": 3.1, "ratio": 0.25},
        "notifications": {
            "lost": 0,
            "repeated": 0,
            "in_order": True,
            "seconds": 10.02,
            "behind_s": 0.004,
            "max_block_ms": 1.5,
            "burst": {
                "lost": 1,
                "repeated": 2,
                "in_order": False,
                "seconds": 3.0,
                "behind_s": 0.004,
                "max_block_ms": 1.5,
            },
        },
    }


@pytest.mark.parametrize(
    ("added_ms", "verdict"), [(5.0, "aim 5 ms: reached"), (5.01, "aim 5 ms: missed")]
)
def test_the_aims_stand_beside_the_figures(added_ms: float, verdict: str) -> None:
    """A missed aim is told."""
    lines = table(replace(FIGURES, added_ms=[added_ms])).splitlines()
    line = next(line for line in lines if "median of 1 deltas" in line)
    assert line.endswith(verdict)


def test_the_table_names_the_versions_and_the_longest_callback() -> None:
    """A figure without them tells nothing later on."""
    text = table(FIGURES)
    assert text.startswith("OpenClaw gateway 2026.9.6, Home Assistant 2026.10.4\n")
    assert LONG.owner in text


def test_the_ratio_is_of_pairs() -> None:
    """A time of heavy load that both have met does not count."""
    assert ratio([1.0, 20.0, 3.0], [1.0, 10.0, 3.0]) == 1.0


@pytest.mark.parametrize(("percent", "value"), [(50, 10), (95, 19), (100, 20), (1, 1)])
def test_percentile_is_one_of_the_values(percent: int, value: float) -> None:
    """So many percent of the values are not above it."""
    assert percentile(range(20, 0, -1), percent) == value


def test_a_turn_counts_as_our_code_and_the_rest_of_home_assistant_does_not() -> None:
    """Both figures are in milliseconds."""
    ours, anyones = longest_blocks(ROWS)
    assert ours == Block(owner="task Task-9 PipelineInput.execute", by_clock=3.0, of_processor=1.5)
    assert (anyones.owner, anyones.by_clock) == ("task recorder", 20.0)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_part_of_ours_that_was_not_seen_is_no_good_figure(missing: int) -> None:
    """A renamed task must not look like a task that takes no time."""
    with pytest.raises(DemoError, match="has not seen"):
        longest_blocks(ROWS[:missing] + ROWS[missing + 1 :])


def test_notifications_are_told_by_a_task_of_ours() -> None:
    """No turn runs meanwhile."""
    rows = [ROWS[0], row(TELLER.owner, 0.0015), row("task recorder", 0.02)]
    ours, anyones = longest_burst_blocks(rows)
    assert ours == replace(TELLER, of_processor=0.75)
    assert anyones.owner == "task recorder"
    with pytest.raises(DemoError, match="has not seen the notifications"):
        longest_burst_blocks(ROWS)


def test_notifications_that_are_lost_miss_the_aim() -> None:
    """The table names both bursts."""
    text = table(FIGURES)
    paced, burst = text.split("1000 notifications ")[1:]
    assert "0, 0  aim 0 in all: reached" in paced
    assert "1, 2  aim 0 in all: missed" in burst

"""What is made of the measured times, and how it is printed."""

from dataclasses import replace

from demo.bench.realtime.figures import Load, RealtimeFigures, Way, table

LOAD = Load(
    idle_percent=1.5,
    busy_percent=9.75,
    pipe_percent=6.0,
    up=[0.001, 0.0199],
    down=[0.002, 0.003],
    memory_mb=[0.5, 0.7],
)
FIGURES = RealtimeFigures(
    gateway_version="2026.9.6",
    home_assistant_version="2026.10.4",
    up=Way(added=[1.0, 2.0, 4.0], pipe_added=[0.5], ours=[4.0], pipe=[3.0]),
    down=Way(added=[0.5], pipe_added=[0.4], ours=[2.0], pipe=[2.0]),
    clear=[2.0, 3.0],
    pipe_clear=[20.0],
    start=[90.0, 100.06],
    pipe_start=[70.0],
    assist_first_audio_s=[0.55, 0.5601],
    load=LOAD,
)


def test_json_has_the_figures_of_the_contract() -> None:
    """Their names are promised."""
    assert FIGURES.as_json() == {
        "up_ms": {"median": 2.0, "p95": 4.0},
        "down_ms": {"median": 0.5, "p95": 0.5},
        "clear_ms": {"median": 2.5, "p95": 3.0},
        "start_ms": {"median": 95.0, "p95": 100.1},
        "assist_first_audio_s": {"median": 0.555, "p95": 0.56},
        "cpu_percent_16": 8.25,
        "late_frames_16": 0,
        "memory_mb_per_session": 0.6,
        "ratio_to_pipe": 1.2,
    }


def test_what_is_late_counts_in_both_directions() -> None:
    """More than 20 ms are late."""
    assert replace(LOAD, up=[0.0201, 0.5], down=[0.02, 0.021]).late_frames == 3


def test_the_table_tells_what_is_missed() -> None:
    """Each aim stands beside its figure."""
    lines = table(FIGURES).splitlines()
    assert lines[0] == "OpenClaw gateway 2026.9.6, Home Assistant 2026.10.4"
    assert sum(line.endswith("reached") for line in lines) == 6
    missed = replace(
        FIGURES,
        up=replace(FIGURES.up, added=[6.0]),
        clear=[51.0],
        assist_first_audio_s=[0.7],
        load=replace(LOAD, busy_percent=12.0, down=[0.1]),
    )
    found = table(missed)
    assert found.count("missed") == 5
    assert "aim 5 ms: missed" in found
    assert "aim 0.6 s: missed" in found
    assert "aim 10 %: missed" in found
    assert "aim 0: missed" in found

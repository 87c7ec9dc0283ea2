"""The figures of one run, and how they are printed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
import statistics
from typing import Any, Final

from ..figures import percentile

ADDED_AIM_MS: Final = 5.0
CLEAR_AIM_MS: Final = 50.0
CPU_AIM_PERCENT: Final = 10.0
FIRST_AUDIO_AIM_S: Final = 0.6
LATE: Final = 0.02
"""Seconds after which a piece of sound is late."""

SESSIONS: Final = 16

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Sound in one direction. Milliseconds."""

    added: Sequence[float]
    """In our hands."""

    pipe_added: Sequence[float]
    """In those of the bare pipe."""

    ours: Sequence[float]
    """From end to end, through us."""

    pipe: Sequence[float]
    """The same through the bare pipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What Home Assistant's process does for `SESSIONS` satellites at once. Seconds."""

    idle_percent: float
    busy_percent: float
    pipe_percent: float
    """What as many microphones cost the bare pipe's process."""

    up: Sequence[float]
    """How late each piece of the microphones' sound was."""

    down: Sequence[float]
    memory_mb: Sequence[float]
    """Per session, each time that so many were there."""

    @property
    def cpu_percent(self) -> float:
        """What the sessions cost, of one core."""
        return self.busy_percent - self.idle_percent

    @property
    def late_frames(self) -> int:
        """How many pieces were late."""
        return sum(seconds > LATE for seconds in (*self.up, *self.down))


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeFigures:
    """All that one run has measured. Milliseconds."""

    gateway_version: str
    home_assistant_version: str
    up: Way
    down: Way
    clear: Sequence[float]
    pipe_clear: Sequence[float]
    start: Sequence[float]
    pipe_start: Sequence[float]
    assist_first_audio_s: Sequence[float]
    load: Load

    @property
    def ratio(self) -> float:
        """Time from satellite to provider and back, ours to the pipe's."""
        ours = statistics.median(self.up.ours) + statistics.median(self.down.ours)
        pipe = statistics.median(self.up.pipe) + statistics.median(self.down.pipe)
        return ours / pipe

    @property
    def memory_mb(self) -> float:
        """What one more session takes."""
        return statistics.median(self.load.memory_mb)

    def as_json(self) -> JsonObject:
        """Return what `--json` prints."""
        return {
            "up_ms": _spread(self.up.added, 2),
            "down_ms": _spread(self.down.added, 2),
            "clear_ms": _spread(self.clear, 2),
            "start_ms": _spread(self.start, 1),
            "assist_first_audio_s": _spread(self.assist_first_audio_s, 3),
            "cpu_percent_16": round(self.load.cpu_percent, 2),
            "late_frames_16": self.load.late_frames,
            "memory_mb_per_session": round(self.memory_mb, 2),
            "ratio_to_pipe": round(self.ratio, 3),
        }


def table(figures: RealtimeFigures) -> str:
    """Return the figures for people, with the aims beside them."""
    load = figures.load
    rows = [
        *_way_rows("Sound from satellite to gateway", figures.up),
        *_way_rows("Sound from gateway to satellite", figures.down),
        ("Satellite to provider and back, ours to the pipe's", f"{figures.ratio:.3f}", ""),
        *_rows("From response.cancel to audio.clear", figures.clear, "ms", CLEAR_AIM_MS),
        *_rows("  bare pipe", figures.pipe_clear, "ms"),
        *_rows("From opening the socket to session.ready", figures.start, "ms"),
        *_rows("  bare pipe", figures.pipe_start, "ms"),
        *_rows("From end of speech to first audio, speech engines of Home Assistant",
               figures.assist_first_audio_s, "s", FIRST_AUDIO_AIM_S),
        (f"Home Assistant with {SESSIONS} satellites", "", ""),
        ("  without them", f"{load.idle_percent:.1f} %", "of one core"),
        ("  open microphones add", f"{load.cpu_percent:.1f} %",
         _aim(load.cpu_percent, CPU_AIM_PERCENT, "%")),
        ("    of the bare pipe's process", f"{load.pipe_percent:.1f} %", ""),
        ("  late pieces of sound", f"{load.late_frames}", _aim(load.late_frames, 0, "")),
        (f"    of {len(load.up)} up, the latest", f"{max(load.up) * 1000:.1f} ms", ""),
        (f"    of {len(load.down)} down, the latest", f"{max(load.down) * 1000:.1f} ms", ""),
        ("  memory for one session", f"{figures.memory_mb:.2f} MB", ""),
    ]  # fmt: skip
    head = f"OpenClaw gateway {figures.gateway_version}, Home Assistant {figures.home_assistant_version}"
    lines = [f"{name:<68}{value:>12}  {note}".rstrip() for name, value, note in rows]
    return "\n".join([head, *lines])


def _way_rows(name: str, way: Way) -> list[tuple[str, str, str]]:
    return [
        *_rows(f"{name}, added", way.added, "ms", ADDED_AIM_MS),
        *_rows("  by the bare pipe", way.pipe_added, "ms"),
        *_rows("  from end to end through us", way.ours, "ms"),
        *_rows("  from end to end through the bare pipe", way.pipe, "ms"),
    ]


def _rows(
    name: str, values: Sequence[float], unit: str, aim: float | None = None
) -> list[tuple[str, str, str]]:
    high = percentile(values, 95)
    return [
        (name, f"{statistics.median(values):.2f} {unit}", f"median of {len(values)}"),
        ("    95th percentile", f"{high:.2f} {unit}", "" if aim is None else _aim(high, aim, unit)),
    ]


def _spread(values: Sequence[float], digits: int) -> JsonObject:
    return {
        "median": round(statistics.median(values), digits),
        "p95": round(percentile(values, 95), digits),
    }


def _aim(value: float, aim: float, unit: str) -> str:
    """Say what is aimed at, and whether it is reached."""
    return f"aim {aim:g} {unit}".rstrip() + f": {'reached' if value <= aim else 'missed'}"

"""The figures of one run, and how they are printed. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
import statistics
from typing import Any, Final

from ..process import DemoError
from .first_audio import FirstAudio

ADDED_AIM_MS: Final = 5.0
DELTA_AIM_US: Final = 50.0
BLOCK_AIM_MS: Final = 10.0

OUR_SOCKET: Final = "protocol websockets."
"""How the owner of callbacks begins that read our socket: nothing else in there uses this library."""

OUR_TASKS: Final = ("task openclaw ", "task openclaw_voice ")
"""How the owners of callbacks begin that are tasks of ours."""

OUR_NOTIFICATIONS: Final = "task openclaw_voice notifications"
"""How the owners of callbacks begin in which notifications are told."""

TURN: Final = "PipelineInput.execute"
"""How the owner of callbacks ends in which Assist runs a turn, and our agent with it."""

type JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A callback that held up an event loop. Milliseconds."""

    owner: str
    by_clock: float
    of_processor: float
    """The processor's part; the rest went to other programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongAnswer:
    """A long answer, once through Assist and once by the bare client. Seconds."""

    total_s: float
    bare_s: float
    deltas: int
    our_block: Block
    any_block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationBurst:
    """What became of many messages that nobody asked for. Seconds."""

    sent: int
    lost: int
    repeated: int
    is_in_order: bool
    """Home Assistant was told them in the order they were sent."""

    seconds: float
    """From sending the first one to the last event in Home Assistant."""

    behind_s: float
    """From sending the last one to that."""

    our_block: Block
    any_block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that one run has measured."""

    gateway_version: str
    home_assistant_version: str
    added_ms: Sequence[float]
    """Of every delta of every question."""

    first_text_s: Sequence[float]
    """Through Assist, of every question."""

    bare_first_text_s: Sequence[float]
    delta_us: float
    long_delta_us: float
    long_answers: Sequence[LongAnswer]
    loads_s: Sequence[float]
    """From the begin of the entry's setup until it was loaded, of every reload."""

    first_audios: Sequence[FirstAudio]
    paced: NotificationBurst
    """Notifications, evenly over some seconds."""

    burst: NotificationBurst
    """As many, as fast as they are read."""

    @property
    def added_median_ms(self) -> float:
        """What is added to a piece of text."""
        return statistics.median(self.added_ms)

    @property
    def added_p95_ms(self) -> float:
        """What 95 of 100 pieces of text stay below."""
        return percentile(self.added_ms, 95)

    @property
    def first_text_ratio(self) -> float:
        """Time to the first text, ours to the bare client's."""
        return ratio(self.first_text_s, self.bare_first_text_s)

    @property
    def long_total_s(self) -> float:
        """Time of the long answer through Assist."""
        return statistics.median(answer.total_s for answer in self.long_answers)

    @property
    def long_bare_s(self) -> float:
        """Time of the long answer at the bare client."""
        return statistics.median(answer.bare_s for answer in self.long_answers)

    @property
    def long_ratio(self) -> float:
        """Time of the long answer, ours to the bare client's."""
        answers = self.long_answers
        return ratio([answer.total_s for answer in answers], [answer.bare_s for answer in answers])

    @property
    def our_block(self) -> Block:
        """The longest callback with our code in it."""
        return max((answer.our_block for answer in self.long_answers), key=_by_clock)

    @property
    def any_block(self) -> Block:
        """The longest callback of all."""
        return max((answer.any_block for answer in self.long_answers), key=_by_clock)

    @property
    def load_s(self) -> float:
        """Time until the entry is loaded while the gateway can be reached."""
        return statistics.median(self.loads_s)

    @property
    def streaming_audio_s(self) -> float:
        """Time to the first sound of an answer that is spoken while it streams."""
        return statistics.median(first.streaming_s for first in self.first_audios)

    @property
    def whole_audio_s(self) -> float:
        """Time to the first sound of an answer that is spoken when it has ended."""
        return statistics.median(first.whole_s for first in self.first_audios)

    @property
    def first_audio_ratio(self) -> float:
        """Time to the first sound, streaming to whole."""
        firsts = self.first_audios
        return ratio([first.streaming_s for first in firsts], [first.whole_s for first in firsts])

    def as_json(self) -> JsonObject:
        """Return what `--json` prints."""
        return {
            "added_ms": {
                "median": round(self.added_median_ms, 2),
                "p95": round(self.added_p95_ms, 2),
                "ratio": round(self.first_text_ratio, 3),
            },
            "delta_us": round(self.delta_us, 1),
            "long_answer": {
                "total_s": round(self.long_total_s, 2),
                "ratio": round(self.long_ratio, 3),
                "max_block_ms": round(self.our_block.by_clock, 2),
            },
            "load_s": round(self.load_s, 3),
            "first_audio": {
                "streaming_s": round(self.streaming_audio_s, 3),
                "whole_s": round(self.whole_audio_s, 3),
                "ratio": round(self.first_audio_ratio, 3),
            },
            "notifications": _burst_json(self.paced) | {"burst": _burst_json(self.burst)},
        }


def _burst_json(burst: NotificationBurst) -> JsonObject:
    return {
        "lost": burst.lost,
        "repeated": burst.repeated,
        "in_order": burst.is_in_order,
        "seconds": round(burst.seconds, 2),
        "behind_s": round(burst.behind_s, 3),
        "max_block_ms": round(burst.our_block.by_clock, 2),
    }


def ratio(ours: Sequence[float], bare: Sequence[float]) -> float:
    """Return the median of the ratios of pairs: what was asked in turns has met the same load."""
    return statistics.median(our / other for our, other in zip(ours, bare, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest of the values that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def longest_blocks(rows: Iterable[Mapping[str, Any]]) -> tuple[Block, Block]:
    """Return the longest callback with our code in it, and the longest of all, from the probe's rows.

    Raises:
        DemoError: A part of our code has not been seen, so the names it is known by are wrong.
    """
    return longest_of(
        rows,
        {
            "the reader of our socket": lambda owner: owner.startswith(OUR_SOCKET),
            "our tasks": lambda owner: owner.startswith(OUR_TASKS),
            "the task of the turn": lambda owner: owner.endswith(TURN),
        },
    )


def longest_burst_blocks(rows: Iterable[Mapping[str, Any]]) -> tuple[Block, Block]:
    """Return the same for a time without a turn: the reader of our socket and our tasks.

    Raises:
        DemoError: One of them has not been seen.
    """
    return longest_of(
        rows,
        {
            "the reader of our socket": lambda owner: owner.startswith(OUR_SOCKET),
            "the notifications": lambda owner: owner.startswith(OUR_NOTIFICATIONS),
        },
    )


def longest_of(
    rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, Callable[[str], bool]]
) -> tuple[Block, Block]:
    """Return the longest callback of these kinds, each told by its owner, and the longest of all.

    Raises:
        DemoError: One of the kinds has not been seen.
    """
    blocks = [
        Block(
            owner=row["owner"],
            by_clock=row["longest"] * 1000,
            of_processor=row["cpu_of_longest"] * 1000,
        )
        for row in rows
    ]
    ours: list[Block] = []
    for name, is_of_kind in kinds.items():
        found = [block for block in blocks if is_of_kind(block.owner)]
        if not found:
            raise DemoError(f"The probe in Home Assistant has not seen {name}.")
        ours += found
    return max(ours, key=_by_clock), max(blocks, key=_by_clock)


def table(figures: Figures) -> str:
    """Return the figures for people, with the aims beside them."""
    first = statistics.median(figures.first_text_s) * 1000
    bare_first = statistics.median(figures.bare_first_text_s) * 1000
    ours, anyones = figures.our_block, figures.any_block
    deltas = sum(answer.deltas for answer in figures.long_answers) // len(figures.long_answers)
    rows = [
        ("From gateway frame to Assist client", "", ""),
        (f"  median of {len(figures.added_ms)} deltas", f"{figures.added_median_ms:.2f} ms",
         _aim(figures.added_median_ms, ADDED_AIM_MS, "ms")),
        ("  95th percentile", f"{figures.added_p95_ms:.2f} ms", ""),
        ("  longest", f"{max(figures.added_ms):.2f} ms", ""),
        ("From question to first text", "", ""),
        ("  through Assist", f"{first:.1f} ms", ""),
        ("  bare client", f"{bare_first:.1f} ms", ""),
        ("  ratio", f"{figures.first_text_ratio:.3f}", ""),
        ("Our code per delta", "", ""),
        ("  400 deltas of 2 000 characters", f"{figures.delta_us:.1f} µs",
         _aim(figures.delta_us, DELTA_AIM_US, "µs")),
        ("  400 deltas of 60 000 characters", f"{figures.long_delta_us:.1f} µs", ""),
        (f"Answer of 60 000 characters, {deltas} deltas", "", ""),
        ("  through Assist", f"{figures.long_total_s:.2f} s", ""),
        ("  bare client", f"{figures.long_bare_s:.2f} s", ""),
        ("  ratio", f"{figures.long_ratio:.3f}", ""),
        ("  longest callback with our code", f"{ours.by_clock:.2f} ms",
         _aim(ours.by_clock, BLOCK_AIM_MS, "ms")),
        (f"    {ours.owner}", f"{ours.of_processor:.2f} ms", "of processor time"),
        ("  longest callback of Home Assistant", f"{anyones.by_clock:.2f} ms", ""),
        (f"    {anyones.owner}", f"{anyones.of_processor:.2f} ms", "of processor time"),
        ("Gateway reachable, until its entry is loaded", "", ""),
        (f"  median of {len(figures.loads_s)} reloads", f"{figures.load_s:.3f} s", ""),
        ("  longest", f"{max(figures.loads_s):.3f} s", ""),
        ("From question to first sound, 120 words at 40 a second", "", ""),
        ("  spoken while the answer streams", f"{figures.streaming_audio_s:.2f} s", ""),
        ("  spoken when it has ended", f"{figures.whole_audio_s:.2f} s", ""),
        ("  ratio", f"{figures.first_audio_ratio:.3f}", ""),
    ]  # fmt: skip
    for name, burst in (("over 10 seconds", figures.paced), ("at once", figures.burst)):
        rows += _burst_rows(name, burst)
    head = f"OpenClaw gateway {figures.gateway_version}, Home Assistant {figures.home_assistant_version}"
    lines = [f"{name:<56}{value:>12}  {note}".rstrip() for name, value, note in rows]
    return "\n".join([head, *lines])


def _burst_rows(name: str, burst: NotificationBurst) -> list[tuple[str, str, str]]:
    block = burst.our_block
    return [
        (f"{burst.sent} notifications {name}", "", ""),
        ("  lost, repeated", f"{burst.lost}, {burst.repeated}",
         _aim(burst.lost + burst.repeated, 0, "in all")),
        ("  in order", "yes" if burst.is_in_order else "no", ""),
        ("  until the last event of Home Assistant", f"{burst.seconds:.2f} s", ""),
        ("  after the last one was sent", f"{burst.behind_s:.3f} s", ""),
        ("  longest callback with our code", f"{block.by_clock:.2f} ms",
         _aim(block.by_clock, BLOCK_AIM_MS, "ms")),
        (f"    {block.owner}", f"{block.of_processor:.2f} ms", "of processor time"),
    ]  # fmt: skip


def _aim(value: float, aim: float, unit: str) -> str:
    """Say what is aimed at, and whether it is reached."""
    return f"aim {aim:.0f} {unit}: {'reached' if value <= aim else 'missed'}"


def _by_clock(block: Block) -> float:
    return block.by_clock

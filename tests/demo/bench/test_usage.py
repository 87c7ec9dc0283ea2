"""What the probe says of its process."""

from pathlib import Path

import pytest

from demo.bench.loop_probe.usage import usage


def test_time_and_memory_are_told() -> None:
    """Both only grow while there is work."""
    before = usage()
    kept = bytearray(20_000_000)
    after = usage()
    assert after["at"] > before["at"]
    assert after["cpu"] >= before["cpu"]
    assert after["memory"] - before["memory"] > len(kept) / 2


def test_where_nobody_tells_it_is_the_most_that_ever_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every system has such a file."""

    def missing(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert usage()["memory"] > 0

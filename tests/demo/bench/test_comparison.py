"""How the two clients take turns, and what counts as the same answer."""

import pytest

from demo.bench.comparison import BenchError, check_answers, in_turns


@pytest.mark.parametrize(("number", "order"), [(0, ["a", "b"]), (1, ["b", "a"]), (2, ["a", "b"])])
async def test_the_two_take_turns_at_going_first(number: int, order: list[str]) -> None:
    """The results keep their places."""
    done: list[str] = []

    async def act(name: str) -> str:
        done.append(name)
        return name.upper()

    assert await in_turns(number, lambda: act("a"), lambda: act("b")) == ("A", "B")
    assert done == order


def test_answers_that_differ_are_not_compared() -> None:
    """And the answers themselves are not printed."""
    check_answers("same", "same")
    with pytest.raises(BenchError, match="4 and 5 characters"):
        check_answers("same", "other")

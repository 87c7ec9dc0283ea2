"""What came last is remembered, what came long ago is not."""

from custom_components.openclaw_voice.gateway.recent import Recent


def test_the_oldest_is_forgotten_first() -> None:
    """So that nothing grows for ever."""
    recent: Recent[int] = Recent(2)

    recent.setdefault("a", 1)
    recent.setdefault("b", 2)
    assert recent.setdefault("a", 9) == 1
    recent.setdefault("c", 3)

    assert [key for key in "abc" if key in recent] == ["b", "c"]

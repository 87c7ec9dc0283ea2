"""What satellites have still to say is remembered over restarts, without a text."""

from datetime import timedelta
import json

import pytest

from custom_components.openclaw_voice.outbox import unsaid as unsaid_module
from custom_components.openclaw_voice.outbox.notification import Notification, NotificationKind
from custom_components.openclaw_voice.outbox.unsaid import Reminder, Unsaid

from .late import NOON, SATELLITE

HALL = "assist_satellite.hall"
LATER = NOON + timedelta(hours=1)


class Memory(Unsaid):
    """Counts how often there is something else to store."""

    def __init__(self) -> None:
        """Be empty."""
        self.changes = 0
        super().__init__(self._count)

    def _count(self) -> None:
        self.changes += 1


def job(number: int = 1) -> Notification:
    """Return a notification with something private."""
    return Notification(
        id=f"job:{number}",
        kind=NotificationKind.JOB_FINISHED,
        title="Doctor",
        message="Private",
        time=NOON + timedelta(minutes=number),
    )


def restarted(before: Unsaid) -> Memory:
    """Return what the next start knows, by way of the disk."""
    after = Memory()
    after.read(json.loads(json.dumps(before.as_data())))
    return after


def test_it_is_remembered_until_everybody_has_said_it() -> None:
    """What does not change need not be stored."""
    memory = Memory()
    memory.note(job(), [SATELLITE, HALL], LATER)
    memory.note(job(), [SATELLITE, HALL], LATER)
    assert (len(memory), memory.changes) == (1, 1)
    memory.note(job(), [HALL], LATER)
    assert (len(memory), memory.changes) == (1, 2)
    memory.note(job(), [], LATER)
    memory.note(job(), [], LATER)
    assert (len(memory), memory.changes) == (0, 3)


def test_no_text_is_stored() -> None:
    """Not even a title."""
    memory = Unsaid()
    memory.note(job(), [SATELLITE], LATER)
    assert memory.as_data() == [
        {
            "id": "job:1",
            "time": (NOON + timedelta(minutes=1)).isoformat(),
            "satellites": [SATELLITE],
            "expires": LATER.isoformat(),
        }
    ]


def test_what_is_found_after_a_restart_is_handed_on_once() -> None:
    """It stays remembered, for the start after that."""
    before = Unsaid()
    before.note(job(), [SATELLITE], LATER)
    memory = restarted(before)
    assert memory.look_for(NOON) == {"job:1": job().time}
    assert memory.take("job:2") is None
    assert memory.take("job:1") == Reminder(
        id="job:1", time=job().time, satellites=(SATELLITE,), expires=LATER
    )
    assert memory.take("job:1") is None
    assert memory.look_for(NOON) == {}
    assert (len(memory), memory.changes) == (1, 0)
    assert restarted(memory).look_for(NOON) == {"job:1": job().time}


def test_what_comes_in_this_start_is_not_looked_for() -> None:
    """Nor taken for something that was lost."""
    memory = Unsaid()
    memory.note(job(), [SATELLITE], LATER)
    assert memory.look_for(NOON) == {}
    assert memory.take("job:1") is None


def test_what_is_not_there_any_more_is_forgotten() -> None:
    """What was found is not."""
    before = Unsaid()
    for number in (1, 2, 3):
        before.note(job(number), [SATELLITE], LATER)
    memory = restarted(before)
    memory.take("job:2")
    memory.give_up()
    assert [each["id"] for each in memory.as_data()] == ["job:2"]
    assert memory.changes == 1
    memory.give_up()
    assert memory.changes == 1


def test_what_has_expired_is_not_looked_for() -> None:
    """It is forgotten, and the oldest moment to look back to with it."""
    before = Unsaid()
    before.note(job(1), [SATELLITE], NOON)
    before.note(job(2), [SATELLITE], LATER)
    memory = restarted(before)
    assert list(memory.look_for(NOON)) == ["job:2"]
    assert (len(memory), memory.changes) == (1, 1)


def test_what_is_over_is_not_looked_for() -> None:
    """It came again by itself, and was dealt with."""
    before = Unsaid()
    before.note(job(), [SATELLITE], LATER)
    memory = restarted(before)
    memory.note(job(), [], LATER)
    assert memory.look_for(NOON) == {}
    assert memory.take("job:1") is None


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest; also when an earlier version has stored more."""
    memory = Unsaid()
    for number in (1, 2, 3):
        memory.note(job(number), [SATELLITE], LATER)
    monkeypatch.setattr(unsaid_module, "MAX_UNSAID", 2)
    assert set(restarted(memory).look_for(NOON)) == {"job:2", "job:3"}
    memory.note(job(4), [SATELLITE], LATER)
    assert [each["id"] for each in memory.as_data()] == ["job:3", "job:4"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"id": "job:1", "time": "2026-01-01", "satellites": [], "expires": LATER.isoformat()},
        {"id": "job:1", "time": LATER.isoformat(), "satellites": 1, "expires": LATER.isoformat()},
        {"id": "job:1", "time": LATER.isoformat(), "satellites": [], "expires": 1},
    ],
    ids=["empty", "no zone", "no satellites", "no time"],
)
def test_what_cannot_be_read_is_told(broken: dict[str, object]) -> None:
    """Whoever stores it knows what to do then."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Unsaid().read([broken])

"""The questions that were asked, to say later which one was answered (pure)."""

from typing import Final

from .notification import Notification, NotificationKind

MAX_ASKED: Final = 100
"""So many are remembered; the oldest goes for a new one."""


class Asked:
    """Questions by the id of their notification."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._questions: dict[str, Notification] = {}

    def note(self, notification: Notification) -> None:
        """Remember a notification, if it asks something."""
        if notification.kind is NotificationKind.QUESTION_ASKED:
            self._questions[notification.id] = notification
        while len(self._questions) > MAX_ASKED:
            del self._questions[next(iter(self._questions))]

    def take(self, notification_id: str) -> Notification | None:
        """Return the question that was asked so, once."""
        return self._questions.pop(notification_id, None)

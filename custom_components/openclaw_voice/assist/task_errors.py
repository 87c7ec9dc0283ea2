"""Why a task for an agent came to nothing, besides what the gateway says.

TaskError                    .placeholders of the sentence about it
    AttachmentError
        AttachmentUnreadableError
        AttachmentTooLargeError
        AttachmentsTooLargeError  all together
    NoAnswerError            the agent decided not to answer
    WrongFormError           the answer is not in the form that was asked for
"""

from collections.abc import Mapping

from ..gateway.errors import RunError

_MEGABYTE = 1_000_000


class TaskError(RunError):
    """A task came to nothing."""

    def __init__(self, message: str, placeholders: Mapping[str, str] | None = None) -> None:
        """`message` holds nothing that was said; `placeholders` are shown to who asked."""
        super().__init__(message)
        self.placeholders = dict(placeholders or {})


class AttachmentError(TaskError):
    """A file cannot go with a message."""

    category = "attachment_unreadable"


class AttachmentUnreadableError(AttachmentError):
    """A file is not there, or not to be read."""

    def __init__(self, name: str) -> None:
        """`name` is that of the file."""
        super().__init__("an attachment cannot be read", {"name": name})


class AttachmentTooLargeError(AttachmentError):
    """A file is larger than the gateway takes one of its kind."""

    category = "attachment_too_large"

    def __init__(self, name: str, limit: int) -> None:
        """`limit` is in bytes."""
        placeholders = {"name": name, "limit": _megabytes(limit)}
        super().__init__("an attachment is too large", placeholders)


class AttachmentsTooLargeError(AttachmentError):
    """Files are larger together than a message may be."""

    category = "attachments_too_large"

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes."""
        super().__init__("the attachments are too large", {"limit": _megabytes(limit)})


class NoAnswerError(TaskError):
    """The agent decided not to answer."""

    category = "no_answer"


class WrongFormError(TaskError):
    """The answer is not in the form that was asked for, also when asked again."""

    category = "wrong_form"

    def __init__(self, fields: tuple[str, ...]) -> None:
        """`fields` are wrong or missing; none when there is nothing in that form at all."""
        super().__init__("the answer has another form", {"fields": ", ".join(fields) or "–"})


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.3g}"

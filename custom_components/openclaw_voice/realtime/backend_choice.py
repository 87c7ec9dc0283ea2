"""Which backend answers: the first of those that may which starts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from .backend import Backend, BackendError, BackendInfo
from .protocol import Reason

FELL_BACK: Final = "gateway_backend_unavailable"
"""The note that a satellite gets which might have had the one before."""

type MakeBackend = Callable[[], Backend]


async def start_first(
    candidates: Sequence[MakeBackend], *, on_failure: Callable[[BackendError], None]
) -> tuple[Backend, BackendInfo]:
    """Start the first backend that can; those that cannot are closed.

    Args:
        candidates: What makes them, the preferred first.
        on_failure: Told why each of the others could not.

    Raises:
        BackendError: None of them can; the reason is that of the last.
    """
    failed: BackendError | None = None
    for make in candidates:
        backend = make()
        try:
            info = await backend.start()
        except BackendError as err:
            await backend.close()
            on_failure(err)
            failed = err
        except BaseException:
            await backend.close()
            raise
        else:
            notes = (*info.notes, FELL_BACK) if failed else info.notes
            return backend, replace(info, notes=notes)
    raise failed or BackendError(Reason.NO_BACKEND)

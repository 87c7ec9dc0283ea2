"""What to do after a connection has ended: one pure function from outcome to decision.

Source of the figures: the gateway's client constants (1 s, doubling to 30 s) and its error table.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .errors import (
    AccessError,
    CannotConnectError,
    CredentialsRejectedError,
    GatewayError,
    HandshakeRefusedError,
    PairingRequiredError,
    ProtocolError,
    RateLimitedError,
    SignatureRejectedError,
    UnsupportedVersionError,
)

FIRST_WAIT: Final = 1.0
"""Seconds before the first retry; doubles with each further one."""

LONGEST_WAIT: Final = 30.0
"""Seconds between retries at most."""

JITTER: Final = 0.25
"""Share of a wait that chance may add, so that many clients do not come back at once."""

PAIRING_POLL: Final = 60.0
"""Seconds between attempts while nobody looks at a pairing dialog."""

STABLE_AFTER: Final = 30.0
"""Seconds of being ready after which the next loss starts again with the first wait."""

QUICK_LOSS: Final = 5.0
"""Seconds: a connection that was ready for less was lost quickly."""

TOLERATED: Final = 3
"""So many quick losses or protocol errors in a row, and only the longest wait is used."""


class Action(StrEnum):
    """What the client does next."""

    RETRY = "retry"
    """Try again after `delay`."""

    USE_OTHER_CREDENTIAL = "use_other_credential"
    """Drop the device token and try at once with what is left."""

    WAIT_FOR_PERSON = "wait_for_person"
    """Do nothing until somebody changes something."""

    POLL_PAIRING = "poll_pairing"
    """Try again after `delay`, so that approving is enough."""

    WAIT_OUT_LIMIT = "wait_out_limit"
    """Try again after `delay`, never earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one connection ended, and what went before."""

    error: GatewayError
    failures: int
    """Failed attempts in a row before this one."""

    quick_losses: int = 0
    """Connections in a row, this one included, that were lost quickly after being ready."""

    protocol_errors: int = 0
    """Protocol errors in a row, this one included."""

    signature_errors: int = 0
    """Refused signatures in a row, this one included."""

    has_other_credential: bool = False
    """Another credential than the refused one is stored."""


class History:
    """What went wrong in a row, as far as the retry policy asks."""

    def __init__(self) -> None:
        """Begin without any trouble."""
        self.failures = 0
        """Failed attempts in a row."""

        self._quick_losses = 0
        self._protocol_errors = 0
        self._signature_errors = 0

    def note(self, error: GatewayError, ready_for: float | None) -> None:
        """Note the end of a connection that was ready for so many seconds, or never."""
        if ready_for is not None and ready_for >= STABLE_AFTER:
            self.failures = self._quick_losses = self._protocol_errors = 0
        elif ready_for is not None and ready_for < QUICK_LOSS:
            self._quick_losses += 1
        elif ready_for is not None:
            self._quick_losses = 0
        self._protocol_errors = self._protocol_errors + 1 if isinstance(error, ProtocolError) else 0
        self._signature_errors = (
            self._signature_errors + 1 if isinstance(error, SignatureRejectedError) else 0
        )
        self.failures += 1

    def outcome(self, error: GatewayError, *, has_other_credential: bool) -> Outcome:
        """Return the outcome just noted."""
        return Outcome(
            error=error,
            failures=self.failures - 1,
            quick_losses=self._quick_losses,
            protocol_errors=self._protocol_errors,
            signature_errors=self._signature_errors,
            has_other_credential=has_other_credential,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to an outcome."""

    action: Action
    delay: float | None = None
    """Seconds to wait, None when no time is set."""

    is_repeating: bool = False
    """The same trouble keeps coming back: worth a warning."""


def decide(outcome: Outcome, *, chance: float) -> Decision:
    """Return what to do after `outcome`.

    | outcome | decision |
    | --- | --- |
    | network error, TLS, untrusted certificate, close, HTTP 5xx | 1 s, doubling to 30 s, with jitter |
    | the gateway says when (starting) | when it says |
    | three quick losses or protocol errors in a row | the longest wait |
    | rate limited | its time, else five minutes |
    | pairing required | slow poll |
    | device token refused, another credential stored | that one, at once |
    | signature refused | one more try, then a person |
    | credentials, rights, version, proxy, handshake refused | a person |
    | another certificate than the pinned one | a person |

    Args:
        outcome: What happened.
        chance: A random number from 0 to 1.
    """
    match outcome.error:
        case PairingRequiredError():
            return Decision(action=Action.POLL_PAIRING, delay=PAIRING_POLL)
        case RateLimitedError(retry_after=wait):
            return Decision(action=Action.WAIT_OUT_LIMIT, delay=max(wait, FIRST_WAIT))
        case CredentialsRejectedError() if outcome.has_other_credential:
            return Decision(action=Action.USE_OTHER_CREDENTIAL, delay=0.0)
        case AccessError() | UnsupportedVersionError() | HandshakeRefusedError():
            return Decision(action=Action.WAIT_FOR_PERSON)
        case SignatureRejectedError() if outcome.signature_errors > 1:
            return Decision(action=Action.WAIT_FOR_PERSON)
        case ProtocolError() if outcome.protocol_errors >= TOLERATED:
            return Decision(
                action=Action.RETRY, delay=_jittered(LONGEST_WAIT, chance), is_repeating=True
            )
        case CannotConnectError(retry_after=float(wait)):
            return Decision(action=Action.RETRY, delay=wait)
        case _ if outcome.quick_losses >= TOLERATED:
            return Decision(
                action=Action.RETRY, delay=_jittered(LONGEST_WAIT, chance), is_repeating=True
            )
        case _:
            wait = min(FIRST_WAIT * 2.0 ** min(outcome.failures, 16), LONGEST_WAIT)
            return Decision(action=Action.RETRY, delay=_jittered(wait, chance))


def _jittered(wait: float, chance: float) -> float:
    return wait * (1.0 + JITTER * chance)

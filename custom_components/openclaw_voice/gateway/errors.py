"""Errors of the gateway client.

GatewayError
    TransportError            retry: the network or the process on the other side
        CannotConnectError    .status of a refused upgrade, .retry_after when the gateway says when
        TlsError              TLS itself
            UntrustedCertificateError  nobody we trust vouches for the certificate
        ConnectionLostError   .code .reason; sent requests may or may not have run
    AccessError               do not retry: a person must act
        CredentialsRejectedError  .detail_code says which one
            SetupCodeRejectedError   wrong, expired or used up
        CertificateChangedError  .fingerprint of what answers instead of the pinned certificate
        MissingRightsError    hello came, but without the scopes we need
        PairingRequiredError  .request_id to show to the user
        ProxyRefusedError     a reverse proxy stands between us and the gateway
        GatewayMisconfiguredError
    RateLimitedError          wait .retry_after (5 minutes when unknown), then retry
    ProtocolError             the two sides disagree; longest wait when it repeats
        NotAGatewayError      something else answers there
        SignatureRejectedError  one more try with a fresh challenge
        UnsupportedVersionError   do not retry: a person must update one side
        HandshakeRefusedError     do not retry: our connect request is not accepted
    NotConnectedError         asked while no connection is ready
    RequestError              the gateway understood and refused; .code .detail_code .retry_after
        AgentNotFoundError    the gateway has no such agent any more
    RequestTimeoutError       no answer in time; unknown whether the method ran
    AnswerError               a request of the gateway cannot be answered like that; nothing ran
        ApprovalGoneError     decided, expired, or never asked of us
        QuestionGoneError     the same of a question
        WrongDecisionError    .offered
        WrongAnswerError      .problem .part
    TalkUnavailableError      no realtime voice session; .kind says why
    RunError                  a run ended without an answer
        RunFailedError        .kind says why, as far as the gateway knows
        EmptyAnswerError      the model answered nothing
        RunTimeoutError       our own deadline passed; the run was aborted
        RunLostError          the connection broke and the answer could not be recovered

Texts that come from outside are redacted before they get here.
"""

from typing import ClassVar, Final

UNKNOWN_RATE_LIMIT_WAIT: Final = 300.0
"""Seconds to wait when the gateway does not say how long.

Source: the gateway's default lockout after ten wrong secrets in a minute.
"""


class GatewayError(Exception):
    """Root of everything the gateway client raises."""

    category: ClassVar[str] = "unexpected"
    """Stable slug of the kind of error: safe to show, to record and to translate by."""


class TransportError(GatewayError):
    """The network, or the process on the other side, is away. Trying again helps."""

    category = "cannot_connect"


class CannotConnectError(TransportError):
    """No connection could be made."""

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        """`status` is the HTTP status of a refused upgrade, `retry_after` is in seconds."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class TlsError(TransportError):
    """TLS does not come about: certificate, name or version."""

    category = "tls"


class UntrustedCertificateError(TlsError):
    """Nobody we trust vouches for the certificate: self-signed, expired, or for another name."""

    category = "untrusted_certificate"


class ConnectionLostError(TransportError):
    """A connection ended. Unknown whether requests in flight ran."""

    category = "connection_lost"

    def __init__(self, code: int, reason: str = "") -> None:
        """`code` is the WebSocket close code, 1006 when there was none."""
        super().__init__(f"connection closed with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class AccessError(GatewayError):
    """The gateway does not let us in. A person must act."""

    category = "access"

    def __init__(self, message: str, *, detail_code: str | None = None) -> None:
        """`detail_code` is the gateway's own word for it (`details.code`)."""
        super().__init__(message)
        self.detail_code = detail_code


class CredentialsRejectedError(AccessError):
    """The secret, device token or setup code is wrong or missing."""

    category = "invalid_auth"


class SetupCodeRejectedError(CredentialsRejectedError):
    """The setup code is wrong, expired or used up; a new one is needed."""

    category = "setup_code_rejected"


class CertificateChangedError(AccessError):
    """Another certificate answers than the pinned one, or none."""

    category = "certificate_changed"

    def __init__(self, message: str, *, fingerprint: str | None) -> None:
        """`fingerprint` is the SHA-256 of what answers, lower-case hex; None without TLS."""
        super().__init__(message)
        self.fingerprint = fingerprint


class MissingRightsError(AccessError):
    """We are connected, but may not do what we are for."""

    category = "missing_rights"

    def __init__(
        self, message: str, *, missing: tuple[str, ...] = (), detail_code: str | None = None
    ) -> None:
        """`missing` holds the scopes that were asked for and not granted, as far as known."""
        super().__init__(message, detail_code=detail_code)
        self.missing = missing


class PairingRequiredError(AccessError):
    """The owner of the gateway has to approve this device first."""

    category = "pairing_required"

    def __init__(self, message: str, *, request_id: str, reason: str) -> None:
        """`request_id` goes into `openclaw devices approve`; `reason` is the gateway's word."""
        super().__init__(message)
        self.request_id = request_id
        self.reason = reason


class ProxyRefusedError(AccessError):
    """A reverse proxy, or the gateway because of one, refuses the upgrade."""

    category = "proxy_refused"

    def __init__(self, message: str, *, status: int) -> None:
        """`status` is the HTTP status of the answer."""
        super().__init__(message)
        self.status = status


class GatewayMisconfiguredError(AccessError):
    """The gateway's own authentication is not set up for us."""

    category = "gateway_misconfigured"


class RateLimitedError(GatewayError):
    """Too many wrong secrets came from this address."""

    category = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """`retry_after` is in seconds; None means the gateway did not say."""
        super().__init__(message)
        self.retry_after = UNKNOWN_RATE_LIMIT_WAIT if retry_after is None else retry_after


class ProtocolError(GatewayError):
    """The other side says something we cannot understand."""

    category = "protocol"


class NotAGatewayError(ProtocolError):
    """What answers at this address is not an OpenClaw gateway."""

    category = "not_a_gateway"


class SignatureRejectedError(ProtocolError):
    """The gateway did not accept the signature of our device key."""

    category = "signature_rejected"

    def __init__(self, message: str, *, expired: bool) -> None:
        """`expired` means the clocks of the two hosts may differ too much."""
        super().__init__(message)
        self.expired = expired


class UnsupportedVersionError(ProtocolError):
    """The gateway speaks another version of the protocol."""

    category = "unsupported_version"

    def __init__(self, message: str, *, expected: int | None = None) -> None:
        """`expected` is the protocol version the gateway wants, if it says."""
        super().__init__(message)
        self.expected = expected


class HandshakeRefusedError(ProtocolError):
    """The gateway does not accept our connect request."""

    category = "handshake_refused"

    def __init__(self, message: str, *, detail_code: str | None = None) -> None:
        """`detail_code` is the gateway's own word for it, if it has one."""
        super().__init__(message)
        self.detail_code = detail_code


class NotConnectedError(GatewayError):
    """There is no connection to the gateway right now."""

    category = "not_connected"


class RequestError(GatewayError):
    """The gateway understood a request and refused it."""

    category = "request_refused"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        detail_code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`code` is the gateway's error code, `retry_after` (seconds) is set when retrying helps."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.detail_code = detail_code
        self.retry_after = retry_after

    @property
    def is_for_good(self) -> bool:
        """Whether asking again would change nothing: want of a right, of the method, our mistake."""
        return self.retry_after is None and self.code in {"FORBIDDEN", "INVALID_REQUEST"}

    @property
    def is_forbidden(self) -> bool:
        """Whether we lack a right for it, or the gateway has no such method: it says the same."""
        return self.detail_code == "MISSING_SCOPE"


class AgentNotFoundError(RequestError):
    """The agent the request is for was removed from the gateway, or renamed there."""

    category = "agent_not_found"


class RequestTimeoutError(GatewayError):
    """No answer in time. Unknown whether the method ran."""

    category = "request_timeout"


class AnswerError(GatewayError):
    """What the gateway or an agent asks for cannot be answered like that."""

    category = "answer_not_possible"


class ApprovalGoneError(AnswerError):
    """The approval is decided, has expired, or was never asked of us."""

    category = "approval_gone"


class QuestionGoneError(AnswerError):
    """The question is answered, withdrawn or expired, or was never asked of us."""

    category = "question_gone"


class WrongDecisionError(AnswerError):
    """The decision is not one of those the approval offers."""

    category = "wrong_decision"

    def __init__(self, message: str, *, offered: tuple[str, ...]) -> None:
        """`offered` holds the decisions there are, the gateway's words."""
        super().__init__(message)
        self.offered = offered


class WrongAnswerError(AnswerError):
    """The answer does not fit the question."""

    category = "wrong_answer"

    def __init__(self, problem: str, *, part: str) -> None:
        """Nothing of what was answered is kept.

        Args:
            problem: An `AnswerProblem`.
            part: Id of the part of the question it is about.
        """
        super().__init__(f"{problem}: {part}")
        self.problem = problem
        self.part = part


class TalkUnavailableError(GatewayError):
    """A realtime voice session cannot be had, or not now."""

    category = "talk_unavailable"

    def __init__(self, message: str, *, kind: str) -> None:
        """`kind` is a `TalkUnavailability`; `message` is redacted."""
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class RunError(GatewayError):
    """A run ended without an answer."""

    category = "run_failed"


class RunFailedError(RunError):
    """The gateway reports that the run failed."""

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        """`kind` is `errorKind` or `failoverReason` of the gateway, if it gives one."""
        super().__init__(message)
        self.kind = kind


class EmptyAnswerError(RunError):
    """The model answered nothing at all."""

    category = "empty_answer"


class RunTimeoutError(RunError):
    """The run took longer than we wait; it was aborted."""

    category = "run_timeout"


class RunLostError(RunError):
    """The connection broke during the run, and the answer could not be recovered."""

    category = "run_lost"

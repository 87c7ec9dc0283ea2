"""What the gateway tells about itself, and what we tell it to be let in: frozen models.

Wire names are ours (`session_key` for `sessionKey`), durations are seconds.
"""

from dataclasses import dataclass, field
import ssl
from typing import Final, Self

from .errors import ProtocolError
from .frames import JsonObject, as_list, as_number, as_object, as_text, seconds
from .health import Health, UpdateInfo, connected_clients, version_text
from .identity import DeviceIdentity

PROTOCOL_VERSION: Final = 4

READ: Final = "operator.read"
WRITE: Final = "operator.write"
APPROVALS: Final = "operator.approvals"
QUESTIONS: Final = "operator.questions"
DEFAULT_SCOPES: Final = (READ, WRITE, APPROVALS, QUESTIONS)
"""Asked for at the first pairing, because asking for more later costs another approval."""

DEFAULT_CAPS: Final = ("approvals", "tool-events")
"""`tool-events`: the sender of a run is told arguments and results of its tools."""

MAX_NAME: Final = 80
"""Characters of the name of an agent; a longer one is cut."""

DEFAULT_MAX_PAYLOAD: Final = 26_214_400
"""Bytes a frame may have. Source: `policy.maxPayload` of gateway 2026.9.6."""

DEFAULT_ATTACHMENT_BYTES: Final = 19_464_192
"""Bytes an attachment may have. Source: `policy.attachments.maxBytes` of gateway 2026.9.6."""

DEFAULT_IMAGE_BYTES: Final = 6_291_456
"""Bytes an image may have. Source: `policy.attachments.maxImageBytes` of gateway 2026.9.6."""

DEFAULT_TICK_INTERVAL: Final = 30.0
"""Seconds between two ticks. Source: `policy.tickIntervalMs` of gateway 2026.9.6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What proves to the gateway that we may come in. The first one that is set is sent."""

    device_token: str | None = field(default=None, repr=False)
    """Given by the gateway to a paired device; only together with its identity."""

    secret: str | None = field(default=None, repr=False)
    """The gateway's shared token or password."""

    bootstrap_token: str | None = field(default=None, repr=False)
    """From a setup code, valid for ten minutes."""

    def for_wire(self) -> tuple[str, str] | None:
        """Return the `auth` field to send and its value, None without any credential."""
        if self.device_token:
            return "deviceToken", self.device_token
        if self.secret:
            return "token", self.secret
        if self.bootstrap_token:
            return "bootstrapToken", self.bootstrap_token
        return None

    def without_device_token(self) -> Credentials | None:
        """Return what is left to try after the device token was refused, None when nothing is."""
        if not self.device_token or not (self.secret or self.bootstrap_token):
            return None
        return Credentials(secret=self.secret, bootstrap_token=self.bootstrap_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Where to connect to, as whom, and what for."""

    url: str
    """`ws://` or `wss://`."""

    credentials: Credentials
    identity: DeviceIdentity | None
    """None only where no rights are wanted; even then the gateway may refuse."""

    client_version: str
    ssl_context: ssl.SSLContext | None = None
    """Needed for `wss://`; made by the caller, because making one blocks the loop."""

    certificate_pin: str | None = None
    """SHA-256 of the only certificate to accept (DER), lower-case hex.

    It takes the place of verification, so `ssl_context` must be one that does not verify.
    """

    role: str = "operator"
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    required_scopes: tuple[str, ...] = (READ, WRITE)
    """Scopes without which a connection is of no use."""

    granted_scopes: tuple[str, ...] | None = None
    """Scopes the owner approved for the device token. Asking for more would be refused."""

    caps: tuple[str, ...] = DEFAULT_CAPS
    commands: tuple[str, ...] = ()
    display_name: str = "Home Assistant"
    """Shown to the owner of the gateway in lists of devices; may change."""

    @property
    def wanted_scopes(self) -> tuple[str, ...]:
        """The scopes to ask for now."""
        if self.credentials.device_token is None or self.granted_scopes is None:
            return self.scopes
        return tuple(scope for scope in self.scopes if scope in self.granted_scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentLimits:
    """How large a file may be that goes with a message: bytes, before any encoding."""

    max_bytes: int = DEFAULT_ATTACHMENT_BYTES
    max_image_bytes: int = DEFAULT_IMAGE_BYTES

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self:
        """Read `policy.attachments`; a missing value is the one of gateway 2026.9.6."""
        return cls(
            max_bytes=_size(payload.get("maxBytes"), DEFAULT_ATTACHMENT_BYTES),
            max_image_bytes=_size(payload.get("maxImageBytes"), DEFAULT_IMAGE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits the gateway announces."""

    max_payload: int
    """Bytes a frame may have, in both directions."""

    tick_interval: float
    """Seconds between two ticks."""

    attachments: AttachmentLimits = AttachmentLimits()

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self:
        """Read `policy`; a missing value is the one of gateway 2026.9.6."""
        return cls(
            max_payload=_size(payload.get("maxPayload"), DEFAULT_MAX_PAYLOAD),
            tick_interval=seconds(payload.get("tickIntervalMs")) or DEFAULT_TICK_INTERVAL,
            attachments=AttachmentLimits.from_payload(as_object(payload.get("attachments"))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloOk:
    """The gateway lets us in."""

    protocol: int
    server_version: str
    boot_id: str | None
    """Changes with every start of the gateway."""

    scopes: tuple[str, ...]
    """The effective rights of this connection."""

    device_token: str | None = field(repr=False)
    """For a paired device: replaces the shared secret from now on."""

    policy: Policy
    methods: frozenset[str] = field(repr=False)
    """Methods the gateway offers. Whether one may be called depends on the scopes."""

    auth_method: str | None = None
    """What let us in, in the gateway's word: `none` is no authentication."""

    is_model_configured: bool | None = None
    """Whether its default agent has a model; None: it does not tell."""

    health: Health | None = None
    clients: int | None = None
    """Connected clients, ourselves too."""

    update: UpdateInfo | None = None

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self:
        """Read the payload of a successful `connect`.

        Raises:
            ProtocolError: It is not a `hello-ok`, or tells neither protocol nor version.
        """
        auth = as_object(payload.get("auth"))
        server = as_object(payload.get("server"))
        protocol = as_number(payload.get("protocol"))
        version = version_text(server.get("version"))
        if payload.get("type") != "hello-ok" or protocol is None or version is None:
            raise ProtocolError("the answer to connect is not a hello-ok")
        features = as_object(payload.get("features"))
        snapshot = as_object(payload.get("snapshot"))
        has_model = as_object(snapshot.get("sessionDefaults")).get("modelConfigured")
        return cls(
            protocol=int(protocol),
            server_version=version,
            boot_id=as_text(server.get("bootId")),
            scopes=_texts(auth.get("scopes")),
            device_token=as_text(auth.get("deviceToken")),
            policy=Policy.from_payload(as_object(payload.get("policy"))),
            methods=frozenset(_texts(features.get("methods"))),
            auth_method=as_text(auth.get("method")),
            is_model_configured=has_model if isinstance(has_model, bool) else None,
            health=Health.from_payload(as_object(snapshot.get("health"))),
            clients=connected_clients(snapshot.get("presence")),
            update=UpdateInfo.from_payload(snapshot.get("updateAvailable")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInfo:
    """One agent of the gateway."""

    agent_id: str
    name: str
    """What people call it; the id when it has no name."""

    emoji: str | None = None
    thinking_levels: tuple[str, ...] = ()
    """What a run may be told to think, in the gateway's own words; depends on the model."""

    thinking_default: str | None = None
    model: str | None = None
    """As `provider/id`: what it uses where a session says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentList:
    """The agents of the gateway."""

    default_id: str | None
    agents: tuple[AgentInfo, ...]

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self:
        """Read the answer of `agents.list`; agents without an id are left out."""
        return cls(
            default_id=as_text(payload.get("defaultId")),
            agents=tuple(
                _agent(agent_id, agent)
                for agent in map(as_object, as_list(payload.get("agents")))
                if (agent_id := as_text(agent.get("id"))) is not None
            ),
        )


def _one_line(value: object) -> str:
    """Return a name as people read it: in one line, not longer than `MAX_NAME`."""
    return " ".join((as_text(value) or "").split())[:MAX_NAME].rstrip()


def _agent(agent_id: str, agent: JsonObject) -> AgentInfo:
    identity = as_object(agent.get("identity"))
    return AgentInfo(
        agent_id=agent_id,
        name=_one_line(identity.get("name")) or _one_line(agent.get("name")) or agent_id,
        emoji=_one_line(identity.get("emoji")) or None,
        thinking_levels=_level_ids(agent.get("thinkingLevels")),
        thinking_default=as_text(agent.get("thinkingDefault")),
        model=as_text(as_object(agent.get("model")).get("primary")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model an agent may use."""

    reference: str
    """As `provider/id`."""

    name: str
    is_available: bool = True
    """Whether the gateway could use it now; it says no only when it knows."""

    thinking_levels: tuple[str, ...] = ()

    @classmethod
    def from_payload(cls, row: JsonObject) -> Self | None:
        """Read a row of `models.list`, None when it lacks provider or id."""
        reference = model_reference(row.get("provider"), row.get("id"))
        if reference is None:
            return None
        return cls(
            reference=reference,
            name=as_text(row.get("name")) or reference,
            is_available=row.get("available") is not False,
            thinking_levels=_level_ids(row.get("thinkingLevels")),
        )


def model_reference(provider: object, model_id: object) -> str | None:
    """Return `provider/id`, None when the wire lacks one of them."""
    first, second = as_text(provider), as_text(model_id)
    return f"{first}/{second}" if first and second else None


def _level_ids(value: object) -> tuple[str, ...]:
    return _texts([as_object(level).get("id") for level in as_list(value)])


def _size(value: object, default: int) -> int:
    """Return a number of bytes; one of nothing is of no use."""
    return int(as_number(value) or 0) or default


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in map(as_text, as_list(value)) if text is not None)

"""The talk capability: realtime voice, from speech to speech, by a model behind the gateway.

Source: gateway protocol 4, "Talk"; measured on gateway 2026.9.6, where it is young: what is offered
is asked for, not taken for granted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

from .errors import RequestError
from .frames import JsonObject, as_list, as_object, as_text
from .models import ConnectionSettings
from .status import Requester
from .talk_items import TalkRequest
from .talk_session import TalkSession

MAX_NAMES: Final = 200
"""Models or voices of a provider that are kept."""

_RELAY: Final = "gateway-relay"


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkProvider:
    """Somebody whose speech models the gateway can use."""

    id: str
    label: str
    is_configured: bool = False
    default_model: str | None = None
    models: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    voices_by_model: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Of models that have others than `voices`."""

    can_relay: bool = False
    """The gateway itself can talk to it, for a device that has neither browser nor key."""

    supports_barge_in: bool = False
    supports_tools: bool = False

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self | None:
        """Read a row of the catalogue, None when it has no id."""
        provider_id = as_text(payload.get("id"))
        if provider_id is None:
            return None
        others = as_object(payload.get("voicesByModel"))
        return cls(
            id=provider_id,
            label=as_text(payload.get("label")) or provider_id,
            is_configured=payload.get("configured") is True,
            default_model=as_text(payload.get("defaultModel")),
            models=_names(payload.get("models")),
            voices=_names(payload.get("voices")),
            voices_by_model=MappingProxyType({name: _names(row) for name, row in others.items()}),
            can_relay=_RELAY in _names(payload.get("transports")),
            supports_barge_in=payload.get("supportsBargeIn") is True,
            supports_tools=payload.get("supportsToolCalls") is True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkCatalog:
    """What realtime voice the gateway offers."""

    is_ready: bool = False
    """A provider is configured. Whether it lets the gateway in shows only in a session."""

    active: str | None = None
    """Id of the provider a session gets that names none."""

    providers: tuple[TalkProvider, ...] = ()

    @property
    def provider(self) -> TalkProvider | None:
        """The one a session gets that names none."""
        return next((each for each in self.providers if each.id == self.active), None)

    @property
    def models(self) -> tuple[str, ...]:
        """Models of that provider."""
        return () if self.provider is None else self.provider.models

    @property
    def voices(self) -> tuple[str, ...]:
        """Voices of that provider."""
        return () if self.provider is None else self.provider.voices

    def voices_of(self, model: str | None) -> tuple[str, ...]:
        """Return the voices of a model of that provider; None: the one that is configured."""
        provider = self.provider
        if provider is None:
            return ()
        return provider.voices_by_model.get(model or "", provider.voices)

    @classmethod
    def from_payload(cls, payload: JsonObject) -> Self:
        """Read the answer of `talk.catalog`."""
        realtime = as_object(payload.get("realtime"))
        rows = map(as_object, as_list(realtime.get("providers")))
        found = (TalkProvider.from_payload(row) for row in rows)
        return cls(
            is_ready=realtime.get("ready") is True,
            active=as_text(realtime.get("activeProvider")),
            providers=tuple(provider for provider in found if provider is not None),
        )


class Talk:
    """Tells what there is, and makes sessions."""

    def __init__(self, requester: Requester, settings: Callable[[], ConnectionSettings]) -> None:
        """Ask through `requester`; sessions connect with the `settings` of the moment."""
        self._requester = requester
        self._settings = settings

    async def catalog(self) -> TalkCatalog:
        """Return what the gateway offers; nothing when it is too old to know.

        Raises what `request` raises.
        """
        try:
            return TalkCatalog.from_payload(await self._requester.request("talk.catalog"))
        except RequestError as err:
            if err.code == "INVALID_REQUEST":
                return TalkCatalog()
            raise

    def session(self, request: TalkRequest) -> TalkSession:
        """Return a session to be entered."""
        return TalkSession(self._settings(), request)


def _names(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(as_text, as_list(value)[:MAX_NAMES])))

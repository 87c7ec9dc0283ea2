"""What only a person can change, told under Repairs, and taken back as soon as it is over."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
import re
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .exceptions import describe
from .gateway.errors import GatewayError
from .gateway.state import ClientSnapshot, ClientState

AWAY_LIMIT: Final = timedelta(hours=1)
"""A gateway that is away for longer does not just restart or update."""

OLDEST_TESTED: Final = "2026.9.6"
"""The release of the gateway the protocol was measured with. Older ones may lack what we rely on."""

AWAY: Final = "gateway_away"
OUTDATED: Final = "gateway_outdated"
VANISHED: Final = "agent_vanished"
BLOCKED: Final = (
    "certificate_changed",
    "gateway_misconfigured",
    "handshake_refused",
    "missing_rights",
    "pairing_required",
    "proxy_refused",
    "signature_rejected",
    "unsupported_version",
)
"""Categories of errors after which the gateway lets us in only when somebody has acted.

Rejected credentials are not among them: Home Assistant asks for new ones by re-authentication.
"""

NO_MODEL: Final = "no_model"
OPEN_GATEWAY: Final = "gateway_open"
SECRET_KEPT: Final = "secret_kept"  # noqa: S105 - the name of an issue
ADVICE: Final = (NO_MODEL, OPEN_GATEWAY, SECRET_KEPT)
"""What people had better change although it works."""

REALTIME: Final = "realtime_unavailable"
"""Realtime sessions make do with Home Assistant's speech engines."""

_PAGES: Final = {REALTIME: "realtime.md#a-speech-model-on-the-gateway"}
"""Pages of the documentation that say more about an issue."""

ISSUES: Final = (*BLOCKED, AWAY, OUTDATED, *ADVICE, REALTIME)
"""Those of the gateway itself; the others are raised for each agent."""

_DOCS: Final = "https://github.com/openclaw-voice/openclaw_voice/blob/main/docs/"
_FIXABLE: Final = frozenset({*BLOCKED, VANISHED, SECRET_KEPT})

_AWAY_SINCE: Final[HassKey[dict[str, datetime]]] = HassKey(f"{DOMAIN}_away_since")
"""By entry id. Outlives the coordinator, which is made anew whenever a setup is tried again."""


class GatewayIssues:
    """The issues of one gateway."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Nothing happens before the first snapshot."""
        self._hass = hass
        self._entry = entry
        self._away_since = hass.data.setdefault(_AWAY_SINCE, {})
        self._stop_timer: CALLBACK_TYPE | None = None

    @callback
    def async_update(self, snapshot: ClientSnapshot) -> None:
        """Raise what is true now, take back what is not."""
        match snapshot.state:
            case ClientState.READY:
                self._show_blocked(None)
                self._not_away()
                self._check_version(snapshot.hello.server_version if snapshot.hello else "")
            case ClientState.REFUSED | ClientState.PAIRING:
                self._show_blocked(snapshot.error)
                self._not_away()
            case ClientState.RATE_LIMITED:
                self._not_away()
            case ClientState.RETRY_WAIT:
                self._show_blocked(None)
                self._away()
            case ClientState.CONNECTING:
                # Also here: a setup may end while nothing answers the first attempt.
                self._away()

    @callback
    def async_stop(self) -> None:
        """End the timer. Idempotent."""
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None

    @callback
    def async_clear(self) -> None:
        """Take everything back: the entry is unloaded, disabled or removed."""
        self._not_away()
        for kind in ISSUES:
            self._delete(kind)
        self.async_show_vanished({})

    @callback
    def async_show_vanished(self, agents: Mapping[str, str]) -> None:
        """Raise an issue for each agent that is gone (titles by subentry id), and no other."""
        prefix = f"{self._issue_id(VANISHED)}_"
        raised = {
            issue_id.removeprefix(prefix)
            for domain, issue_id in ir.async_get(self._hass).issues
            if domain == DOMAIN and issue_id.startswith(prefix)
        }
        for subentry_id in raised - agents.keys():
            self._delete(VANISHED, subentry_id)
        for subentry_id, title in agents.items():
            self._raise(VANISHED, ir.IssueSeverity.WARNING, subentry_id, agent=title)

    @callback
    def async_show_advice(self, kinds: Collection[str]) -> None:
        """Raise these kinds of advice, and no other."""
        for kind in ADVICE:
            if kind in kinds:
                self._raise(kind, ir.IssueSeverity.WARNING)
            else:
                self._delete(kind)

    @property
    def is_realtime_missing(self) -> bool:
        """Whether people are told that realtime voice is missing."""
        issues = ir.async_get(self._hass)
        return issues.async_get_issue(DOMAIN, self._issue_id(REALTIME)) is not None

    @callback
    def async_show_realtime(self, is_missing: bool) -> None:
        """Say how to set up realtime voice on the gateway, if it is missing there."""
        if is_missing:
            self._raise(REALTIME, ir.IssueSeverity.WARNING)
        else:
            self._delete(REALTIME)

    def _show_blocked(self, error: GatewayError | None) -> None:
        """Raise the issue for an error, if there is one for it, and none for another error."""
        for kind in BLOCKED:
            if error is None or kind != error.category:
                self._delete(kind)
            else:
                self._raise(kind, ir.IssueSeverity.ERROR, **describe(error).placeholders)

    def _away(self) -> None:
        """Raise an issue once the gateway has been away for too long."""
        since = self._away_since.setdefault(self._entry.entry_id, dt_util.utcnow())
        remaining = (since + AWAY_LIMIT - dt_util.utcnow()).total_seconds()
        if remaining <= 0:
            self._raise_away()
        elif self._stop_timer is None:
            job = HassJob(self._raise_away, cancel_on_shutdown=True)
            self._stop_timer = async_call_later(self._hass, remaining, job)

    @callback
    def _raise_away(self, _: datetime | None = None) -> None:
        self.async_stop()
        self._raise(AWAY, ir.IssueSeverity.WARNING)

    def _not_away(self) -> None:
        self.async_stop()
        self._away_since.pop(self._entry.entry_id, None)
        self._delete(AWAY)

    def _check_version(self, version: str) -> None:
        if is_older(version, OLDEST_TESTED):
            self._raise(OUTDATED, ir.IssueSeverity.WARNING, version=version, oldest=OLDEST_TESTED)
        else:
            self._delete(OUTDATED)

    def _raise(
        self,
        kind: str,
        severity: ir.IssueSeverity,
        subentry_id: str | None = None,
        **placeholders: str,
    ) -> None:
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id(kind, subentry_id),
            data={"entry_id": self._entry.entry_id, "subentry_id": subentry_id},
            is_fixable=kind in _FIXABLE,
            learn_more_url=f"{_DOCS}{page}" if (page := _PAGES.get(kind)) else None,
            severity=severity,
            translation_key=kind,
            translation_placeholders={"gateway": self._entry.title, **placeholders},
        )

    def _delete(self, kind: str, subentry_id: str | None = None) -> None:
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(kind, subentry_id))

    def _issue_id(self, kind: str, subentry_id: str | None = None) -> str:
        return "_".join(filter(None, (kind, self._entry.entry_id, subentry_id)))


def is_older(version: str, other: str) -> bool:
    """Return whether a version of the gateway is surely older than another one.

    Only year, month and number are compared, and what cannot be read is not older.
    """
    found, limit = (re.match(r"(\d+)\.(\d+)\.(\d+)", text) for text in (version, other))
    if found is None or limit is None:
        return False
    return [*map(int, found.groups())] < [*map(int, limit.groups())]

"""The one mapping of gateway errors: to translation keys, spoken sentences and Home Assistant errors."""

from dataclasses import dataclass, field
from enum import StrEnum
import math
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryError,
    ConfigEntryNotReady,
    HomeAssistantError,
    ServiceValidationError,
)

from .assist.phrases import async_texts
from .assist.task_errors import TaskError
from .const import DOMAIN
from .gateway import errors
from .gateway.errors import (
    AccessError,
    AgentNotFoundError,
    AnswerError,
    CredentialsRejectedError,
    GatewayError,
    HandshakeRefusedError,
    MissingRightsError,
    PairingRequiredError,
    ProxyRefusedError,
    RateLimitedError,
    RunError,
    RunFailedError,
    SignatureRejectedError,
    TalkUnavailableError,
    UnsupportedVersionError,
    WrongAnswerError,
    WrongDecisionError,
)

_RUN_FAILURES: Final = {
    "auth": "run_failed_auth",
    "context_length": "run_failed_context_length",
    "context_overflow": "run_failed_context_length",
    "model_not_found": "run_failed_model_not_found",
    "overloaded": "run_failed_temporary",
    "rate_limit": "run_failed_rate_limit",
    "refusal": "run_failed_refusal",
    "server_error": "run_failed_temporary",
    "timeout": "run_failed_temporary",
}
"""The gateway's words for why a run failed, as far as a person can do something different."""

CONNECTION_ERRORS: Final = sorted(
    {
        kind.category
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, GatewayError)
        and not issubclass(kind, RunError | AgentNotFoundError | AnswerError | TalkUnavailableError)
    }
)
"""Categories of the errors that can stand in the way of a connection."""


INPUT_ERRORS: Final = frozenset(
    {
        "agent_not_loaded",
        "gateway_not_loaded",
        "no_gateway",
        "no_scope",
        "no_such_agent",
        "no_such_gateway",
        "no_such_late_answer",
        "no_such_person",
        "no_such_place",
        "not_our_session",
        "other_agents_session",
        "scope_not_used",
        "too_many_runs",
    }
)
"""Keys of the sentences about what is wrong with the call of an action."""


class SatelliteProblem(StrEnum):
    """Why a satellite cannot be told something: keys of the sentences about it."""

    AWAY = "satellite_away"
    BUSY = "satellite_busy"
    NOTHING_TO_PLAY = "nothing_to_play"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """What to tell people about an error."""

    key: str
    """Translation key, in the section of exceptions; in the config flow in the one of errors."""

    placeholders: dict[str, str] = field(default_factory=dict)


def describe(error: GatewayError) -> ErrorText:
    """Return what to tell people about a gateway error. Texts from outside are not part of it."""
    return ErrorText(key=_key(error), placeholders=_placeholders(error))


async def async_sentence(hass: HomeAssistant, language: str, error: GatewayError) -> str:
    """Return the sentence for an error in a language, in English when there is no translation."""
    text = describe(error)
    sentences = await async_texts(hass, language, "exceptions")
    return sentences[f"{text.key}.message"].format(**text.placeholders)


def setup_error(error: GatewayError) -> HomeAssistantError:
    """Return what setting an entry up raises for a gateway error.

    What only a person can change ends the setup; everything else is tried again.
    """
    if isinstance(error, CredentialsRejectedError):
        return _translated(ConfigEntryAuthFailed, error)
    if isinstance(error, PairingRequiredError):
        # Approving on the gateway is enough, so trying again finds it out.
        return _translated(ConfigEntryNotReady, error)
    if isinstance(
        error,
        AccessError | UnsupportedVersionError | HandshakeRefusedError | SignatureRejectedError,
    ):
        return _translated(ConfigEntryError, error)
    return _translated(ConfigEntryNotReady, error)


def action_error(error: GatewayError) -> HomeAssistantError:
    """Return what an action raises for a gateway error."""
    is_input = isinstance(error, AnswerError)
    return _translated(ServiceValidationError if is_input else HomeAssistantError, error)


def input_error(key: str, **placeholders: str) -> ServiceValidationError:
    """Return what an action raises for a wrong input; `key` is one of `INPUT_ERRORS`."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )


def satellite_error(
    problem: SatelliteProblem, kind: type[HomeAssistantError] = HomeAssistantError
) -> HomeAssistantError:
    """Return what is raised when a satellite cannot be told something."""
    return kind(translation_domain=DOMAIN, translation_key=problem)


def _translated[E: HomeAssistantError](kind: type[E], error: GatewayError) -> E:
    text = describe(error)
    return kind(
        translation_domain=DOMAIN,
        translation_key=text.key,
        translation_placeholders=text.placeholders,
    )


def _key(error: GatewayError) -> str:
    if isinstance(error, RunFailedError) and error.kind is not None:
        return _RUN_FAILURES.get(error.kind, error.category)
    if isinstance(error, WrongAnswerError):
        return f"{error.category}_{error.problem}"
    return error.category


def _placeholders(error: GatewayError) -> dict[str, str]:
    match error:
        case PairingRequiredError(request_id=request_id):
            return {"command": f"openclaw devices approve {request_id}".rstrip()}
        case MissingRightsError(missing=missing):
            return {"missing": ", ".join(missing) or "–"}
        case RateLimitedError(retry_after=seconds):
            return {"minutes": str(max(1, math.ceil(seconds / 60)))}
        case ProxyRefusedError(status=status):
            return {"status": str(status)}
        case WrongDecisionError(offered=offered):
            return {"offered": ", ".join(offered) or "–"}
        case WrongAnswerError(part=part):
            return {"part": part}
        case TaskError(placeholders=placeholders):
            return placeholders
    return {}

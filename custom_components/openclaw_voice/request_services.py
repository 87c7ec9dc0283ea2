"""The actions that answer what waits for people: approvals and questions of the agents."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import (
    Context,
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.typing import VolSchemaType
from homeassistant.util.json import JsonValueType
import voluptuous as vol

from .const import DOMAIN
from .coordinator import GatewayCoordinator, OpenClawConfigEntry
from .exceptions import action_error, input_error
from .gateway.approvals import DENY
from .gateway.errors import AnswerError, GatewayError, WrongDecisionError
from .named_gateway import CONF_GATEWAY, named_gateway
from .outbox.notification import event_data
from .outbox.open_requests import OpenRequests
from .outbox.pending import OpenRequest, told
from .rights import async_check_admin, async_check_rights

ATTR_ANSWER: Final = "answer"
ATTR_ANSWERS: Final = "answers"
ATTR_APPROVAL_ID: Final = "approval_id"
ATTR_CANCEL: Final = "cancel"
ATTR_DECISION: Final = "decision"
ATTR_QUESTION_ID: Final = "question_id"

WAITING: Final = "waiting_answers"
"""Key of the sensor that shows what waits; whoever controls it may answer."""

_TEXT: Final = vol.All(cv.string, vol.Strip, vol.Length(min=1))
_TEXTS: Final = vol.All(cv.ensure_list, [cv.string])
_HOW: Final = "how"

_RESOLVE: Final = vol.Schema(
    {vol.Required(ATTR_APPROVAL_ID): _TEXT, vol.Required(ATTR_DECISION): _TEXT}
)
_ANSWER: Final = vol.All(
    vol.Schema(
        {
            vol.Required(ATTR_QUESTION_ID): _TEXT,
            vol.Exclusive(ATTR_ANSWERS, _HOW): {_TEXT: _TEXTS},
            vol.Exclusive(ATTR_ANSWER, _HOW): _TEXTS,
            vol.Exclusive(ATTR_CANCEL, _HOW): vol.All(cv.boolean, True),
        }
    ),
    cv.has_at_least_one_key(ATTR_ANSWERS, ATTR_ANSWER, ATTR_CANCEL),
)
_LIST: Final = vol.Schema({vol.Optional(CONF_GATEWAY): _TEXT})

type Handler = Callable[[ServiceCall], Awaitable[ServiceResponse]]


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register the actions. They are there as long as Home Assistant runs."""

    def register(
        name: str,
        handler: Handler,
        schema: VolSchemaType,
        response: SupportsResponse = SupportsResponse.OPTIONAL,
    ) -> None:
        async def handle(call: ServiceCall) -> ServiceResponse:
            try:
                return await handler(call)
            except GatewayError as err:
                raise action_error(err) from err

        hass.services.async_register(
            DOMAIN, name, handle, schema=schema, supports_response=response
        )

    register("resolve_approval", _async_resolve, _RESOLVE)
    register("answer_question", _async_answer, _ANSWER)
    register("list_requests", _async_list, _LIST, SupportsResponse.ONLY)


async def _async_resolve(call: ServiceCall) -> ServiceResponse:
    """Decide an approval. To deny is harmless; to let an agent do something is not."""
    approval_id, decision = call.data[ATTR_APPROVAL_ID], call.data[ATTR_DECISION]
    if decision != DENY:
        await async_check_admin(call.hass, call.context)
        if len(_knowing(_loaded(call.hass), approval_id)) > 1:
            # One of them has taken the id of another: nobody knows which of the two people mean.
            raise WrongDecisionError("two gateways ask by the same id", offered=(DENY,))
    await _async_on_its_gateway(
        call, approval_id, lambda requests: requests.async_resolve(approval_id, decision)
    )
    return {ATTR_APPROVAL_ID: approval_id, ATTR_DECISION: decision}


async def _async_answer(call: ServiceCall) -> ServiceResponse:
    """Answer a question, or leave it unanswered."""
    question_id = call.data[ATTR_QUESTION_ID]
    answers = call.data.get(ATTR_ANSWERS, call.data.get(ATTR_ANSWER))

    async def answer(requests: OpenRequests) -> None:
        if answers is None:
            await requests.async_cancel(question_id)
        else:
            await requests.async_answer(question_id, answers)

    await _async_on_its_gateway(call, question_id, answer)
    return {
        ATTR_QUESTION_ID: question_id,
        "status": "cancelled" if answers is None else "answered",
    }


async def _async_list(call: ServiceCall) -> ServiceResponse:
    """Return what waits, as the event told it: of one gateway, or of all that are connected."""
    name = call.data.get(CONF_GATEWAY)
    listed: list[tuple[OpenRequest, str]] = []
    for gateway in _named(call.hass, name) if name else _loaded(call.hass):
        await _async_check(call.hass, call.context, gateway)
        try:
            pending = await gateway.requests.async_pending()
        except GatewayError:
            if name:
                raise
            continue
        listed.extend((request, gateway.entry_id) for request in pending)
    listed.sort(key=lambda each: each[0].created)
    facts: list[JsonValueType] = [
        event_data(told(request), entry_id=entry_id) for request, entry_id in listed
    ]
    return {"requests": facts}


async def _async_on_its_gateway(
    call: ServiceCall, request_id: str, answer: Callable[[OpenRequests], Awaitable[object]]
) -> None:
    """Answer a request on the gateway it waits on.

    Raises:
        ServiceValidationError: No gateway is set up.
        GatewayError: It cannot be answered, or waits nowhere.
    """
    gateways = list(_loaded(call.hass))
    if not gateways:
        raise input_error("no_gateway")
    for gateway in gateways:
        await _async_check(call.hass, call.context, gateway)
    errors: list[GatewayError] = []
    for gateway in _knowing(gateways, request_id) or gateways:
        try:
            await answer(gateway.requests)
        except GatewayError as err:
            errors.append(err)
        else:
            return
    # That it waits nowhere is certain only when all of them say so.
    raise next((err for err in errors if not isinstance(err, AnswerError)), errors[0])


def _knowing(gateways: Iterable[GatewayCoordinator], request_id: str) -> list[GatewayCoordinator]:
    return [each for each in gateways if each.requests.get(request_id) is not None]


def _loaded(hass: HomeAssistant) -> Iterator[GatewayCoordinator]:
    entry: OpenClawConfigEntry
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        yield entry.runtime_data


def _named(hass: HomeAssistant, name: str) -> list[GatewayCoordinator]:
    """Return the gateway with this name.

    Raises:
        ServiceValidationError: There is none, or it is not set up now.
    """
    try:
        entry_id = named_gateway(hass, name)
    except vol.Invalid as err:
        raise input_error("no_such_gateway", gateway=name) from err
    entry = hass.config_entries.async_get_known_entry(entry_id)
    if entry.state is not ConfigEntryState.LOADED:
        raise input_error("gateway_not_loaded", gateway=entry.title)
    return [entry.runtime_data]


async def _async_check(hass: HomeAssistant, context: Context, gateway: GatewayCoordinator) -> None:
    """Check that whoever runs the action may answer for this gateway."""
    entity_id = er.async_get(hass).async_get_entity_id(
        SENSOR_DOMAIN, DOMAIN, f"{gateway.entry_id}_{WAITING}"
    )
    await async_check_rights(hass, context, control=entity_id or f"{SENSOR_DOMAIN}.", see=())

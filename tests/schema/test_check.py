"""The schema check is strict and knows where it must not be."""

import json

import pytest

from tests.schema.check import PACKAGE, VERSION, ProtocolViolation, check_received, check_sent
from tests.schema.definitions import EVENTS, NO_PARAMS, PARAMS, RESULTS

REQUEST = {"type": "req", "id": "1", "method": "agent.wait", "params": {"runId": "x"}}
DATA = {"runId": "x", "seq": 1, "stream": "assistant", "ts": 1, "data": {}}


def test_schema_has_the_pinned_version() -> None:
    """Another version of the schema may allow what this one forbids."""
    assert json.loads((PACKAGE / "package.json").read_text())["version"] == VERSION


def test_every_definition_exists() -> None:
    """The tables name definitions the schema has, and methods it knows."""
    schema = json.loads((PACKAGE / "protocol.schema.json").read_text())
    named = {*PARAMS.values(), *RESULTS.values(), *EVENTS.values()} - {NO_PARAMS}
    assert named <= schema["definitions"].keys()
    assert PARAMS.keys() - {"connect"} <= schema["methods"].keys()


def test_good_request_passes() -> None:
    """A request as the schema wants it raises nothing."""
    check_sent(REQUEST)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"id": 1}, id="number as id"),
        pytest.param({"id": ""}, id="empty id"),
        pytest.param({"params": {}}, id="missing param"),
        pytest.param({"params": {"runId": "x", "timeoutMs": 0.5}}, id="fraction"),
        pytest.param({"params": {"runId": "x", "wait": 1}}, id="unknown param"),
        pytest.param({"method": "gateway.identity.get"}, id="params of a method without any"),
        pytest.param({"method": "no.such"}, id="unknown method"),
        pytest.param({"seq": 1}, id="unknown field"),
    ],
)
def test_bad_request_is_refused(changes: dict[str, object]) -> None:
    """A deviation in the frame or in the params of its method is a violation."""
    with pytest.raises(ProtocolViolation):
        check_sent(REQUEST | changes)


def test_recorded_extra_field_is_let_through_in_events_only_at_its_place() -> None:
    """What the gateway adds to agent events is known; anything else is not."""
    event = {"type": "event", "event": "agent", "seq": 1}
    check_received(event | {"payload": DATA | {"sessionKey": "agent:main:x"}})
    with pytest.raises(ProtocolViolation, match="'mood' was unexpected"):
        check_received(event | {"payload": DATA | {"mood": "good"}})


def test_result_is_checked_by_the_method_it_answers() -> None:
    """The payload of a response has to match what its method returns."""
    response = {"type": "res", "id": "1", "ok": True, "payload": {"agents": []}}
    check_received(response)
    with pytest.raises(ProtocolViolation, match="AgentsListResult"):
        check_received(response, method="agents.list")

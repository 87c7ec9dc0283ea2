"""Frames in, frames out, and what becomes of the frames nobody should send."""

from datetime import UTC, datetime
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.errors import AgentNotFoundError, ProtocolError
from custom_components.openclaw_voice.gateway.frames import (
    MAX_NUMBER,
    ROWS,
    ErrorShape,
    GatewayEvent,
    Response,
    as_list,
    as_number,
    as_object,
    as_text,
    build_request,
    moment,
    parse_frame,
    seconds,
    whole_characters,
)
from tests.gateway.garbage import JSON_OBJECTS, JSON_VALUES

EVENT = {"type": "event", "event": "tick", "payload": {"ts": 1}, "seq": 7}
ANSWER = {"type": "res", "id": "r1", "ok": True, "payload": {"runId": "x"}}
REFUSAL = {
    "type": "res",
    "id": "r1",
    "ok": False,
    "error": {"code": "FORBIDDEN", "message": "missing scope"},
}


def test_an_event_is_parsed() -> None:
    """Name, payload and number of an event survive."""
    assert parse_frame(json.dumps(EVENT)) == GatewayEvent(name="tick", payload={"ts": 1}, seq=7)


def test_an_answer_is_parsed() -> None:
    """A response without an error has none."""
    assert parse_frame(json.dumps(ANSWER)) == Response(request_id="r1", payload={"runId": "x"})


def test_a_refusal_is_parsed() -> None:
    """A response that is not ok carries the gateway's error."""
    frame = parse_frame(json.dumps(REFUSAL))

    assert isinstance(frame, Response)
    assert frame.error == ErrorShape(code="FORBIDDEN", message="missing scope")
    assert frame.payload == {}


def test_a_failed_run_keeps_payload_and_error() -> None:
    """A run that fails is answered with both."""
    frame = parse_frame(json.dumps(REFUSAL | {"payload": {"status": "error"}}))

    assert isinstance(frame, Response)
    assert frame.payload == {"status": "error"}
    assert frame.error is not None


def test_a_frame_may_come_as_bytes() -> None:
    """A binary message with JSON in it is as good as text."""
    assert parse_frame(json.dumps(EVENT).encode()) == parse_frame(json.dumps(EVENT))


@pytest.mark.parametrize("frame", [EVENT, ANSWER, REFUSAL], ids=["event", "answer", "refusal"])
def test_unknown_fields_are_ignored(frame: dict[str, Any]) -> None:
    """A newer gateway does not break us."""
    newer = frame | {"stateVersion": {"presence": 3}, "later": [1]}

    assert parse_frame(json.dumps(newer)) == parse_frame(json.dumps(frame))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("hello", id="no JSON"),
        pytest.param("{", id="cut JSON"),
        pytest.param("[" * 100_000, id="endless nesting"),
        pytest.param("1" * 10_000, id="endless number"),
        pytest.param(b"\xff\xfe\x00", id="bytes that are no text"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="array"),
        pytest.param('"x"', id="string"),
        pytest.param("{}", id="empty object"),
        pytest.param('{"type":"req","id":"1","method":"x"}', id="request"),
        pytest.param('{"type":"event"}', id="event without name"),
        pytest.param('{"type":"event","event":1}', id="event with a number for a name"),
        pytest.param('{"type":"res","ok":true}', id="response without id"),
        pytest.param('{"type":"res","id":1,"ok":true}', id="response with a number for an id"),
        pytest.param('{"type":"res","id":"1"}', id="response without ok"),
        pytest.param('{"type":"res","id":"1","ok":1}', id="response with a number for ok"),
    ],
)
def test_what_is_no_frame_is_a_protocol_error(text: str | bytes) -> None:
    """A frame that lacks what its type requires is refused."""
    with pytest.raises(ProtocolError):
        parse_frame(text)


def test_a_protocol_error_does_not_carry_the_frame() -> None:
    """A frame may hold speech, and errors are logged."""
    with pytest.raises(ProtocolError) as caught:
        parse_frame('{"said": "my secret"')

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "changes",
    [{"payload": None}, {"payload": "x"}, {"payload": 1}],
    ids=["null", "string", "number"],
)
@pytest.mark.parametrize("frame", [EVENT, ANSWER], ids=["event", "answer"])
def test_a_payload_that_is_no_object_is_empty(
    frame: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Readers of a payload always get an object."""
    assert parse_frame(json.dumps(frame | changes)).payload == {}


def test_an_array_as_a_payload_has_a_place_in_an_object() -> None:
    """The lists of approvals are answered so; events never are."""
    rows = [{"id": "a"}, 1]
    assert parse_frame(json.dumps(ANSWER | {"payload": rows})).payload == {ROWS: rows}
    assert parse_frame(json.dumps(EVENT | {"payload": rows})).payload == {}


@pytest.mark.parametrize("value", [None, True, -1, "1", 1e18, 9e14])
def test_what_is_no_time_stamp_is_no_moment(value: object) -> None:
    """The last one is a number the wire allows, and a year no calendar has."""
    assert moment(value) is None


def test_a_moment_is_in_utc() -> None:
    """The wire counts milliseconds."""
    assert moment(1_500) == datetime.fromtimestamp(1.5, UTC)


@pytest.mark.parametrize("seq", [None, "7", 7.5, True, [7]], ids=str)
def test_a_sequence_number_that_is_none_is_left_out(seq: object) -> None:
    """A frame without a usable number is still a frame."""
    frame = parse_frame(json.dumps(EVENT | {"seq": seq}))

    assert isinstance(frame, GatewayEvent)
    assert frame.seq is None


@given(JSON_VALUES)
def test_no_json_breaks_the_parser(value: object) -> None:
    """Any JSON is a frame or a ProtocolError."""
    try:
        parse_frame(json.dumps(value))
    except ProtocolError:
        return


@given(JSON_VALUES, JSON_VALUES, JSON_VALUES)
def test_no_value_in_a_frame_breaks_the_parser(payload: object, error: object, seq: object) -> None:
    """A frame whose type is right survives whatever its fields are."""
    event = {"type": "event", "event": "x", "payload": payload, "seq": seq}
    response = {"type": "res", "id": "1", "ok": False, "payload": payload, "error": error}

    assert isinstance(parse_frame(json.dumps(event)), GatewayEvent)
    assert isinstance(parse_frame(json.dumps(response)), Response)


@given(st.binary())
def test_no_bytes_break_the_parser(message: bytes) -> None:
    """Any message is a frame or a ProtocolError."""
    try:
        parse_frame(message)
    except ProtocolError:
        return


def test_a_request_is_built_as_the_gateway_wants_it() -> None:
    """A request has exactly the four known fields, and letters are not escaped."""
    text = build_request("r1", "agent", {"message": "Grüße"})

    assert text == '{"type":"req","id":"r1","method":"agent","params":{"message":"Grüße"}}'


def test_content_is_not_in_the_repr_of_a_frame() -> None:
    """Frames may be logged, what people say may not."""
    event = GatewayEvent(name="chat", payload={"text": "my secret"})
    response = Response(request_id="1", payload={"text": "my secret"})

    assert "secret" not in repr(event)
    assert "secret" not in repr(response)


def test_an_error_has_everything_the_gateway_tells() -> None:
    """Codes, reason and wait are fields."""
    shape = ErrorShape.from_payload(
        {
            "code": "UNAVAILABLE",
            "message": "gateway starting; retry shortly",
            "retryable": True,
            "retryAfterMs": 500,
            "details": {"code": "STARTING", "reason": "startup-sidecars"},
        }
    )

    assert shape.code == "UNAVAILABLE"
    assert shape.message == "gateway starting; retry shortly"
    assert shape.detail_code == "STARTING"
    assert shape.detail_reason == "startup-sidecars"
    assert shape.retry_after == 0.5
    assert shape.details == {"code": "STARTING", "reason": "startup-sidecars"}


@pytest.mark.parametrize("error", [None, {}, [], "x", {"code": 1, "message": []}], ids=str)
def test_an_error_of_any_shape_is_one(error: object) -> None:
    """A response that is not ok is an error, whatever comes with it."""
    shape = ErrorShape.from_payload(error)

    assert (shape.code, shape.message) == ("UNKNOWN", "no reason given")


def test_the_message_of_an_error_is_redacted() -> None:
    """A message goes into errors and logs."""
    shape = ErrorShape.from_payload({"code": "X", "message": "bad password: hunter2"})

    assert shape.message == "bad password: ***"


def test_details_of_an_error_are_not_in_the_repr() -> None:
    """Details may hold what the owner of the gateway only tells us."""
    assert "hunter2" not in repr(ErrorShape.from_payload({"details": {"x": "hunter2"}}))


@pytest.mark.parametrize(
    "error",
    [
        {"retryAfterMs": 1500},
        {"details": {"retryAfterMs": 1500}},
        {"retryAfterMs": None, "details": {"retryAfterMs": 1500}},
        {"retryAfterMs": 1500, "details": {"retryAfterMs": 9}},
    ],
    ids=["outside", "inside", "null outside", "both"],
)
def test_the_wait_may_be_in_the_details(error: dict[str, Any]) -> None:
    """The wait is found in either place."""
    assert ErrorShape.from_payload(error).retry_after == 1.5


def test_an_error_becomes_the_error_of_a_request() -> None:
    """A caller of a request gets code, detail and wait."""
    error = ErrorShape(
        code="INVALID_REQUEST", message="no", detail_code="D", detail_reason="r", retry_after=2.0
    ).as_request_error()

    assert (error.code, error.detail_code, error.retry_after) == ("INVALID_REQUEST", "D", 2.0)
    assert str(error) == "INVALID_REQUEST: no"


def test_a_reason_stands_in_for_a_detail_code() -> None:
    """Some refusals have a reason only."""
    shape = ErrorShape(code="X", message="no", detail_reason="chat-request-conflict")

    assert shape.as_request_error().detail_code == "chat-request-conflict"


@pytest.mark.parametrize(
    ("code", "message", "is_gone"),
    [
        ("INVALID_REQUEST", 'Agent "nope" no longer exists in configuration', True),
        ("INVALID_REQUEST", 'Unknown agent id "nope"', True),
        ("INVALID_REQUEST", 'invalid agent params: unknown agent id "nope"', True),
        ("INVALID_REQUEST", "malformed session key", False),
        ("UNAVAILABLE", 'Agent "nope" no longer exists in configuration', False),
    ],
)
def test_an_agent_that_is_gone_has_an_error_of_its_own(
    code: str, message: str, is_gone: bool
) -> None:
    """A person can mend that, unlike a request that is wrong."""
    error = ErrorShape(code=code, message=message).as_request_error()

    assert isinstance(error, AgentNotFoundError) is is_gone
    assert error.code == code


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        ({"retryable": True}, 1.0),
        ({"retryable": True, "retryAfterMs": 250}, 0.25),
        ({"retryable": False}, None),
        ({"retryable": "yes"}, None),
        ({}, None),
    ],
    ids=["without a wait", "with a wait", "not retryable", "garbage", "nothing"],
)
def test_a_retryable_request_has_a_wait(error: dict[str, Any], wait: float | None) -> None:
    """A refusal that retrying helps against is retried after a second if nothing is told."""
    assert ErrorShape.from_payload(error).as_request_error().retry_after == wait


def test_a_retryable_refusal_of_a_connection_does_not_tell_a_wait_of_its_own() -> None:
    """A rate limit is retryable too, and without a time it takes five minutes, not a second."""
    assert ErrorShape.from_payload({"retryable": True}).retry_after is None


@given(JSON_OBJECTS)
def test_no_error_breaks_the_reader(error: dict[str, Any]) -> None:
    """Whatever a gateway sends, its refusal reaches the caller."""
    ErrorShape.from_payload(error).as_request_error()


@pytest.mark.parametrize("value", [None, [], "x", 1, True], ids=str)
def test_what_is_no_object_is_an_empty_one(value: object) -> None:
    """A reader may always ask for fields."""
    assert as_object(value) == {}
    assert as_object({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("value", [None, {}, "x", 1, True], ids=str)
def test_what_is_no_array_is_an_empty_one(value: object) -> None:
    """A reader may always iterate."""
    assert as_list(value) == []
    assert as_list([1]) == [1]


@pytest.mark.parametrize("value", [None, {}, [], "", 1, True], ids=str)
def test_what_is_no_text_is_none(value: object) -> None:
    """An empty text is none."""
    assert as_text(value) is None
    assert as_text("x") == "x"


@pytest.mark.parametrize(
    ("text", "whole"),
    [("", ""), ("abc", "abc"), ("ä😀", "ä😀"), ("a\ud83d", "a"), ("\ude00ä\ud83db", "äb")],
    ids=["nothing", "ASCII", "other letters", "half at the end", "halves everywhere"],
)
def test_halves_of_characters_are_left_out(text: str, whole: str) -> None:
    """What cannot be encoded must not reach anybody who writes it."""
    assert whole_characters(text) == whole


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0.0),
        (1, 1.0),
        (1.5, 1.5),
        (MAX_NUMBER, MAX_NUMBER),
        (-1, None),
        (MAX_NUMBER * 2, None),
        (10**400, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("1", None),
        (None, None),
        ([1], None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_only_numbers_a_gateway_can_mean_are_numbers(value: object, number: float | None) -> None:
    """Durations, sizes and times are positive and finite."""
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("value", "duration"), [(1500, 1.5), (0, 0.0), ("1500", None), (None, None)], ids=str
)
def test_milliseconds_become_seconds(value: object, duration: float | None) -> None:
    """The wire counts milliseconds, we count seconds."""
    assert seconds(value) == duration

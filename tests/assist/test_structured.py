"""An answer in a form that was asked for."""

import json
from typing import Any

from homeassistant.helpers import llm, selector
from hypothesis import given, strategies as st
import pytest
import voluptuous as vol

from custom_components.openclaw_voice.assist.structured import (
    MAX_PROBLEMS,
    NO_JSON,
    Problem,
    Structure,
    UnstructuredAnswerError,
    ask_again,
)
from tests.gateway.garbage import JSON_VALUES

SCHEMA = vol.Schema(
    {
        vol.Required("name", description="Who it is"): selector.TextSelector(),
        vol.Optional("age"): selector.NumberSelector(selector.NumberSelectorConfig(min=0, max=120)),
    }
)
PERSON = Structure(SCHEMA, llm.selector_serializer)
ANN: dict[str, Any] = {"name": "Ann", "age": 5}
JSON = json.dumps(ANN)


def problems_of(answer: str, structure: Structure = PERSON) -> tuple[Problem, ...]:
    """Return what is wrong with an answer."""
    with pytest.raises(UnstructuredAnswerError) as caught:
        structure.read(answer)
    return caught.value.problems


def test_an_agent_is_told_the_form() -> None:
    """With the names, kinds and descriptions of its fields."""
    schema = json.loads(PERSON.request.rpartition("\n\n")[2])

    assert schema["properties"]["name"] == {"type": "string", "description": "Who it is"}
    assert schema["properties"]["age"]["maximum"] == 120
    assert schema["required"] == ["name"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(JSON, id="bare"),
        pytest.param(f"\n {JSON}\n", id="spaces"),
        pytest.param(f"```json\n{JSON}\n```", id="fenced"),
        pytest.param(f"```\n{JSON}\n```\nAnything else?", id="fenced without a language"),
        pytest.param(f"Here you are: {JSON} Anything else?", id="prose"),
        pytest.param(f"As [1] says, {{it}} is:\n{JSON}\n[1] https://example.com", id="brackets"),
        pytest.param(f'{{"name": 7}} was wrong. {JSON}', id="second thought"),
        pytest.param(f"```python\nx = {{}}\n```\n{JSON}", id="after other code"),
    ],
)
def test_the_value_is_found(answer: str) -> None:
    """Whatever stands around it."""
    assert PERSON.read(answer) == ANN


@pytest.mark.parametrize(
    ("answer", "problems"),
    [
        pytest.param("I do not know.", (Problem(path="", reason=NO_JSON),), id="prose"),
        pytest.param("", (Problem(path="", reason=NO_JSON),), id="nothing"),
        pytest.param('{"name": "Ann"', (Problem(path="", reason=NO_JSON),), id="cut off"),
        pytest.param('{"name": NaN}', (Problem(path="", reason=NO_JSON),), id="no JSON number"),
        pytest.param("{}", (Problem(path="name", reason="required key not provided"),), id="none"),
        pytest.param('{"name": 7}', (Problem(path="name", reason="expected str"),), id="kind"),
        pytest.param(
            '{"name": "Ann", "mood": "good"}',
            (Problem(path="mood", reason="not a valid option"),),
            id="too much",
        ),
        pytest.param("[1, 2]", (Problem(path="", reason="expected a mapping"),), id="a list"),
        pytest.param(
            'See [1]: {"name": 7}', (Problem(path="name", reason="expected str"),), id="footnote"
        ),
        pytest.param(
            '{"name": 7} or {"name": 8, "age": 1}',
            (Problem(path="name", reason="expected str"),),
            id="two values",
        ),
    ],
)
def test_what_is_wrong_is_named(answer: str, problems: tuple[Problem, ...]) -> None:
    """By the field, and why."""
    assert problems_of(answer) == problems


def test_the_place_of_a_problem_is_that_of_the_field() -> None:
    """Also within lists."""
    people = Structure(vol.Schema({vol.Required("people"): [{vol.Required("name"): str}]}))

    [problem] = problems_of('{"people": [{"name": "Ann"}, {"name": 7}]}', people)

    assert problem.path == "people[1].name"


def test_fields_are_named_once() -> None:
    """And the answer as a whole is no field."""
    error = UnstructuredAnswerError(
        tuple(Problem(path=path, reason="x") for path in ("a", "", "b", "a"))
    )

    assert error.fields == ("a", "b")


def test_nothing_of_an_answer_shows() -> None:
    """Neither in the error nor in its problems."""
    [problem] = problems_of('{"name": "Ann", "the secret": 1}')
    error = UnstructuredAnswerError((Problem(path="name", reason="the secret"),))

    assert problem.path == "the secret"
    assert "secret" not in str(error)
    assert "secret" not in repr(error.problems)


def test_an_agent_is_told_what_to_mend() -> None:
    """Field by field, and never an endless list."""
    few = ask_again(
        UnstructuredAnswerError(
            (Problem(path="name", reason="expected str"), Problem(path="", reason=NO_JSON))
        )
    )
    many = ask_again(UnstructuredAnswerError((Problem(path="x", reason="bad"),) * 100))

    assert few.splitlines()[1:] == ["- name: expected str", f"- {NO_JSON}"]
    assert len(many.splitlines()) == MAX_PROBLEMS + 1


@pytest.mark.parametrize(
    ("age", "read"),
    [("5", 5), ("5.0", 5.0), ('"7"', 7), ('"7.5"', 7.5)],
)
def test_a_whole_number_stays_one(age: str, read: float) -> None:
    """A selector makes a float of every number, and a number of what reads as one."""
    person = PERSON.read(f'{{"name": "Ann", "age": {age}}}')

    assert isinstance(person, dict)
    assert (type(person["age"]), person["age"]) == (type(read), read)


@pytest.mark.parametrize("age", ["true", '"old"', '"[7]"', "1e999", "1" + "0" * 400, "[7]"])
def test_what_is_no_number_is_none(age: str) -> None:
    """Python would make one of most of them, and automations would count with it."""
    [problem] = problems_of(f'{{"name": "Ann", "age": {age}}}')
    assert problem == Problem(path="age", reason="expected a number")


MAIL = Structure(
    vol.Schema(
        {
            vol.Required("has_mail"): selector.BooleanSelector(),
            vol.Optional("from"): selector.TextSelector(selector.TextSelectorConfig(multiple=True)),
            vol.Optional("parcels"): selector.ObjectSelector(
                selector.ObjectSelectorConfig(
                    fields={"is_big": {"selector": {"boolean": {}}}}, multiple=True
                )
            ),
        }
    ),
    llm.selector_serializer,
)


@pytest.mark.parametrize(
    ("has_mail", "read"), [("true", True), ("false", False), ('"false"', False), ('" True"', True)]
)
def test_the_word_for_false_is_not_true(has_mail: str, read: bool) -> None:
    """A selector takes any text for true."""
    assert MAIL.read(f'{{"has_mail": {has_mail}}}') == {"has_mail": read}


@pytest.mark.parametrize("has_mail", ["null", '"no"', '"unknown"', "0", "[]", "{}"])
def test_what_is_neither_true_nor_false_is_asked_again(has_mail: str) -> None:
    """Nothing is guessed for an automation."""
    [problem] = problems_of(f'{{"has_mail": {has_mail}}}', MAIL)
    assert problem == Problem(path="has_mail", reason="expected a boolean")


def test_lists_and_objects_are_read_in_the_same_way() -> None:
    """Wherever a field stands."""
    parcels = [{"is_big": "false"}, {"is_big": True}]
    assert MAIL.read(json.dumps({"has_mail": True, "parcels": parcels})) == {
        "has_mail": True,
        "parcels": [{"is_big": False}, {"is_big": True}],
    }
    [problem] = problems_of('{"has_mail": true, "parcels": [{"is_big": "very"}]}', MAIL)
    assert problem.path == "parcels[0].is_big"


def test_nothing_is_what_an_optional_field_may_be() -> None:
    """Many models write out what they have nothing for."""
    assert MAIL.read('{"has_mail": false, "from": null}') == {"has_mail": False}
    paths = {problem.path for problem in problems_of('{"has_mail": null, "mood": null}', MAIL)}
    assert paths == {"has_mail", "mood"}


@pytest.mark.parametrize(
    "answer",
    [
        '```json\n{"has_mail": false}\n```\nNo, wait:\n```json\n{"has_mail": true}\n```',
        'At first {"has_mail": false}, but then {"has_mail": true} it is.',
        'Not {"has_mail": false}.\n```json\n{"has_mail": true}\n```\nSo not {"has_mail": false}.',
    ],
    ids=["fenced", "prose", "both"],
)
def test_who_thinks_aloud_is_read_to_the_end(answer: str) -> None:
    """The last value was meant, and what is fenced more than what is not."""
    assert MAIL.read(answer) == {"has_mail": True}


def test_numbers_in_lists_stay_whole() -> None:
    """A list that was changed is taken as it is."""
    numbers = Structure(vol.Schema([vol.Coerce(float)]))
    first = Structure(vol.Schema(lambda values: [float(values[0])]))

    assert [type(number) for number in numbers.read("[1, 2.5]")] == [int, float]  # type: ignore[attr-defined]  # a list
    assert first.read("[1, 2]") == [1.0]


@pytest.mark.parametrize("answer", ["[" * 200_000, '{"a":' * 200_000, "{" * 200_000], ids=len)
def test_an_answer_of_brackets_is_given_up_soon(answer: str) -> None:
    """It is neither searched for ever nor read beyond what Python can."""
    assert problems_of(answer) == (Problem(path="", reason=NO_JSON),)


@given(value=JSON_VALUES, before=st.text(max_size=5), after=st.text(max_size=5))
def test_no_answer_breaks_the_reader(value: object, before: str, after: str) -> None:
    """Any text is an answer in the form or an error."""
    try:
        person = PERSON.read(f"{before}{json.dumps(value)}{after}")
    except UnstructuredAnswerError:
        return
    assert isinstance(person, dict)
    assert isinstance(person["name"], str)

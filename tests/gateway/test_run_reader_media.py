"""Media that belong to an answer."""

import pytest

from custom_components.openclaw_voice.gateway.recovery import RunFate, RunTrace
from custom_components.openclaw_voice.gateway.run_media import MAX_LINK_LENGTH, MAX_LINKS
from custom_components.openclaw_voice.gateway.run_reader import RunReader
from tests.gateway.run_frames import (
    SILENT,
    Payload,
    aborted,
    agent,
    answered,
    assistant,
    chat,
    response,
    result,
    said,
    taken,
)

MEDIA = "https://gateway/media/picture.png"
OTHER = "https://gateway/media/other.png"


@pytest.fixture
def reader() -> RunReader:
    """Return the reader of a new run."""
    return RunReader()


# Told by the events


def test_media_come_with_the_text_and_are_told_at_the_end(reader: RunReader) -> None:
    """The last response, which also has them, comes too late to be waited for."""
    reader.read_event(assistant("Here."))
    reader.read_event(assistant("Here.", mediaUrls=[MEDIA]))
    reader.read_event(chat("final", "Here."))

    assert taken(reader) == said("Here.")
    assert reader.final == answered("Here.", links=(MEDIA,))


def test_media_alone_are_an_answer_at_once(reader: RunReader) -> None:
    """The end has no message then, and nothing more has to come."""
    reader.read_event(assistant("", mediaUrls=[MEDIA]))
    reader.read_event(chat("final"))

    assert not reader.needs_response
    assert taken(reader) == []
    assert reader.final == answered("", links=(MEDIA,))


@pytest.mark.parametrize(
    ("fields", "links"),
    [
        ({"mediaUrls": [MEDIA, OTHER]}, (MEDIA, OTHER)),
        ({"mediaUrls": [MEDIA], "mediaUrl": MEDIA}, (MEDIA,)),
        ({"mediaUrl": MEDIA}, (MEDIA,)),
        ({"mediaUrls": ["http://gateway/a"]}, ("http://gateway/a",)),
        ({"mediaUrls": ["/home/user/picture.png", MEDIA]}, (MEDIA,)),
        ({"mediaUrls": ["file:///home/user/picture.png"]}, ()),
        ({"mediaUrls": ["https://gateway/a b", "https://gateway/a\nb"]}, ()),
        ({"mediaUrls": [f"{MEDIA}\ud83e"]}, (MEDIA,)),
        ({"mediaUrls": [f"{MEDIA}?{'x' * MAX_LINK_LENGTH}"]}, ()),
        ({"mediaUrls": MEDIA}, ()),
        ({"mediaUrls": [5, None, [MEDIA]], "mediaUrl": 5}, ()),
    ],
    ids=[
        "two",
        "both fields",
        "one field",
        "http",
        "path",
        "file",
        "white space",
        "half an emoji",
        "too long",
        "no list",
        "no texts",
    ],
)
def test_only_addresses_people_can_open_are_links(
    reader: RunReader, fields: Payload, links: tuple[str, ...]
) -> None:
    """Other values do no harm."""
    reader.read_event(assistant("Here.", **fields))
    reader.read_event(chat("final", "Here."))

    assert reader.final == answered("Here.", links=links)


def test_media_are_told_once_and_in_their_order(reader: RunReader) -> None:
    """Frames repeat each other, and each message may have its own."""
    reader.read_event(assistant("One.", mediaUrls=[OTHER]))
    reader.read_event(assistant("Two.", item_id="m:2", mediaUrls=[MEDIA]))
    reader.read_event(assistant("Two.", item_id="m:2", mediaUrls=[MEDIA, OTHER]))
    reader.read_event(chat("final", "One.\n\nTwo."))

    assert reader.final == answered("One.\n\nTwo.", links=(OTHER, MEDIA))


def test_a_flood_of_media_is_cut(reader: RunReader) -> None:
    """Links are shown, so they are not endless."""
    for number in range(3 * MAX_LINKS):
        reader.read_event(assistant("Here.", mediaUrls=[f"{MEDIA}?{number}"]))
    reader.read_event(chat("final", "Here."))

    assert reader.final is not None
    assert reader.final.links == tuple(f"{MEDIA}?{number}" for number in range(MAX_LINKS))


def test_media_without_any_text_field_count(reader: RunReader) -> None:
    """A frame may carry nothing else."""
    reader.read_event(agent("assistant", mediaUrls=[MEDIA]))
    reader.read_event(chat("final", "Here."))

    assert reader.final == answered("Here.", links=(MEDIA,))


def test_media_of_a_text_that_was_taken_back_are_void(reader: RunReader) -> None:
    """The model is asked again; what it had attached before the tool stays."""
    reader.read_event(assistant("Look.", mediaUrls=[OTHER]))
    reader.read_event(assistant("It is", item_id="m:2", mediaUrls=[MEDIA]))
    reader.read_event(assistant("", item_id="m:2", replace=True))
    reader.read_event(assistant("It is on.", item_id="m:3"))
    reader.read_event(chat("final", "Look.\n\nIt is on."))

    assert reader.final == answered("Look.\n\nIt is on.", links=(OTHER,))


def test_media_of_a_turn_that_starts_over_are_void(reader: RunReader) -> None:
    """The second run tells its own."""
    reader.read_event(assistant("Here.", mediaUrls=[MEDIA]))
    reader.restart()
    reader.read_event(chat("final", "Here."))

    assert reader.final == answered("Here.")


def test_a_stopped_or_silent_run_has_no_media(reader: RunReader) -> None:
    """Only an answer is shown with what belongs to it."""
    other = RunReader()
    for each in (reader, other):
        each.read_event(assistant("", mediaUrls=[MEDIA]))

    reader.read_event(chat("final", "NO_REPLY"))
    other.read_event(chat("aborted", stopReason="rpc"))

    assert reader.final == SILENT
    assert other.final == aborted()


@pytest.mark.parametrize(
    ("block", "links"),
    [
        ({"type": "image", "url": MEDIA}, (MEDIA,)),
        ({"type": "image", "mediaUrl": MEDIA}, (MEDIA,)),
        ({"type": "image", "url": "/home/user/picture.png"}, ()),
        ({"type": "image", "url": 5}, ()),
        ("odd", ()),
    ],
    ids=["url", "media url", "path", "number", "no block"],
)
def test_media_of_a_final_are_links(
    reader: RunReader, block: object, links: tuple[str, ...]
) -> None:
    """A gateway may put them among the blocks of the message."""
    blocks = [{"type": "text", "text": "Here."}, block]
    reader.read_event(chat("final", message={"content": blocks}))

    assert reader.final == answered("Here.", links=links)


def test_a_final_may_consist_of_media_only(reader: RunReader) -> None:
    """A picture is an answer."""
    reader.read_event(chat("final", message={"content": [{"type": "image", "url": MEDIA}]}))

    assert reader.final == answered("", links=(MEDIA,))


# Told by the last response


@pytest.mark.parametrize(
    ("fields", "links"),
    [
        ({"mediaUrl": MEDIA, "mediaUrls": [MEDIA]}, (MEDIA,)),
        ({"mediaUrl": None, "mediaUrls": [MEDIA, OTHER]}, (MEDIA, OTHER)),
        ({"mediaUrl": MEDIA}, (MEDIA,)),
        ({"mediaUrl": None}, ()),
    ],
    ids=["one", "two", "one field", "none"],
)
def test_media_of_the_last_response_are_links(
    reader: RunReader, fields: Payload, links: tuple[str, ...]
) -> None:
    """When the events were lost, it has them."""
    payloads = [{"text": "Here."} | fields]
    reader.read_response(response("ok", result={"payloads": payloads}))

    assert reader.final == answered("Here.", links=links)


def test_a_response_may_consist_of_media_only(reader: RunReader) -> None:
    """A picture is an answer there as well."""
    reader.read_response(response("ok", result=result("", media_url=MEDIA)))

    assert reader.final == answered("", links=(MEDIA,))


def test_media_of_events_and_response_are_told_once(reader: RunReader) -> None:
    """The end may be known by the response alone."""
    reader.read_event(assistant("Here.", mediaUrls=[MEDIA]))
    reader.read_response(response("ok", result=result("Here.", media_url=MEDIA)))

    assert reader.final == answered("Here.", links=(MEDIA,))


# Told by the history


@pytest.mark.parametrize(
    ("text", "spoken", "links"),
    [
        (f"Here.\nMEDIA:{MEDIA}", "Here.", (MEDIA,)),
        (f"MEDIA:{MEDIA}", "", (MEDIA,)),
        (f"Here.\n  MEDIA: `{MEDIA}`\nMEDIA:{OTHER}\nBye.", "Here.\nBye.", (MEDIA, OTHER)),
        ("Here.\nMEDIA:/home/user/picture.png", "Here.", ()),
        (f"The line MEDIA:{MEDIA} is a link.", f"The line MEDIA:{MEDIA} is a link.", ()),
    ],
    ids=["after text", "alone", "two", "path", "within a line"],
)
def test_the_history_has_media_as_lines(
    reader: RunReader, text: str, spoken: str, links: tuple[str, ...]
) -> None:
    """It keeps what the model wrote; such lines are nothing to be said."""
    reader.read_trace(RunTrace(fate=RunFate.ANSWERED, text=text))

    assert taken(reader) == (said(spoken) if spoken else [])
    assert reader.final == answered(spoken, links=links)


def test_the_history_of_a_stopped_run_has_no_such_lines_either(reader: RunReader) -> None:
    """What was said until then stays, what was attached does not."""
    reader.read_trace(RunTrace(fate=RunFate.ABORTED, text=f"Here.\nMEDIA:{MEDIA}"))

    assert taken(reader) == said("Here.")
    assert reader.final == aborted("Here.")


def test_a_history_with_a_file_of_the_gateway_only_is_an_empty_answer(reader: RunReader) -> None:
    """Nobody can open a path on another computer."""
    reader.read_trace(RunTrace(fate=RunFate.ANSWERED, text="MEDIA:/home/user/picture.png"))

    assert reader.final is None
    assert reader.error is not None

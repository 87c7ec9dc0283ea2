"""Where a question comes from, as the registries know it."""

from dataclasses import replace

from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
)
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openclaw_voice.assist.options import AgentOptions
from custom_components.openclaw_voice.assist.question import Origin, Person, Place
from custom_components.openclaw_voice.assist.surroundings import (
    async_named_origin,
    async_origin,
    async_render_instructions,
)

PUCK = "assist_satellite.puck"


class Home:
    """A home with one satellite, a puck, on a device without an area."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Register everything."""
        self.hass = hass
        self.entities = er.async_get(hass)
        self.devices = dr.async_get(hass)
        self.areas = ar.async_get(hass)
        self.entry = MockConfigEntry(domain="wyoming")
        self.entry.add_to_hass(hass)
        self.puck = self.devices.async_get_or_create(
            config_entry_id=self.entry.entry_id,
            identifiers={("wyoming", "puck")},
            name="Puck",
            model="Voice PE",
        )
        self.add_satellite("puck", self.puck.id)

    def add_satellite(self, name: str, device_id: str | None = None) -> str:
        """Register a satellite, and return its entity id."""
        return self.entities.async_get_or_create(
            "assist_satellite",
            "wyoming",
            name,
            suggested_object_id=name,
            config_entry=self.entry,
            device_id=device_id,
            original_name="Assist satellite",
        ).entity_id

    async def origin(
        self, satellite: str | None = None, device: str | None = None, user: str | None = None
    ) -> Origin:
        """Return the origin of a question."""
        return await async_origin(self.hass, satellite_id=satellite, device_id=device, user_id=user)


@pytest.fixture
def home(hass: HomeAssistant) -> Home:
    """Return a home with a satellite."""
    return Home(hass)


async def test_a_satellite_tells_its_device_room_and_floor(home: Home) -> None:
    """All of it comes from the registries."""
    ground = fr.async_get(home.hass).async_create("Ground floor")
    kitchen = home.areas.async_create("Kitchen", floor_id=ground.floor_id)
    home.devices.async_update_device(home.puck.id, area_id=kitchen.id)
    assert await home.origin(PUCK) == Origin(
        satellite_id=PUCK,
        satellite_name="Puck",
        device_id=home.puck.id,
        device_model="Voice PE",
        area=Place(id=kitchen.id, name="Kitchen"),
        floor=Place(id=ground.floor_id, name="Ground floor"),
    )


async def test_the_satellites_own_room_goes_before_that_of_its_device(home: Home) -> None:
    """Somebody has put it there on purpose; a room without a floor has none."""
    kitchen, hall = home.areas.async_create("Kitchen"), home.areas.async_create("Hall")
    home.devices.async_update_device(home.puck.id, area_id=kitchen.id)
    home.entities.async_update_entity(PUCK, area_id=hall.id)
    origin = await home.origin(PUCK)
    assert origin.area == Place(id=hall.id, name="Hall")
    assert origin.floor is None


async def test_names_given_by_people_go_first(home: Home) -> None:
    """The one of the satellite, then the one of its device."""
    home.devices.async_update_device(home.puck.id, name_by_user="Kitchen puck")
    assert (await home.origin(PUCK)).satellite_name == "Kitchen puck"
    home.entities.async_update_entity(PUCK, name="Jarvis")
    assert (await home.origin(PUCK)).satellite_name == "Jarvis"


async def test_a_satellite_without_a_device_is_known_by_its_state(home: Home) -> None:
    """And by nothing when it is not there at all; no other satellite is taken for it."""
    lone = home.add_satellite("lone")
    home.hass.states.async_set(lone, "idle", {"friendly_name": "Lone satellite"})
    assert await home.origin(lone) == Origin(satellite_id=lone, satellite_name="Lone satellite")
    gone = "assist_satellite.gone"
    assert await home.origin(gone) == Origin(satellite_id=gone)


async def test_a_device_with_one_satellite_means_it(home: Home) -> None:
    """With its room, too."""
    hall = home.areas.async_create("Hall")
    home.entities.async_update_entity(PUCK, area_id=hall.id)
    assert await home.origin(device=home.puck.id) == await home.origin(PUCK)


async def test_a_device_with_several_satellites_means_none(home: Home) -> None:
    """Nobody knows which one heard the question; a disabled one does not hear."""
    home.add_satellite("second", home.puck.id)
    origin = await home.origin(device=home.puck.id)
    assert origin == Origin(device_id=home.puck.id, device_model="Voice PE")
    home.entities.async_update_entity(PUCK, disabled_by=er.RegistryEntryDisabler.USER)
    origin = await home.origin(device=home.puck.id)
    assert origin.satellite_id == "assist_satellite.second"


async def test_a_device_without_a_satellite_has_a_room(home: Home) -> None:
    """A telephone with the app, for instance."""
    kitchen = home.areas.async_create("Kitchen")
    phone = home.devices.async_get_or_create(
        config_entry_id=home.entry.entry_id, identifiers={("wyoming", "phone")}, name="Phone"
    )
    home.devices.async_update_device(phone.id, area_id=kitchen.id)
    assert await home.origin(device=phone.id) == Origin(
        device_id=phone.id, area=Place(id=kitchen.id, name="Kitchen")
    )


async def test_a_part_of_a_device_is_where_the_device_is(home: Home) -> None:
    """And of its model; its name is its own."""
    kitchen = home.areas.async_create("Kitchen")
    home.devices.async_update_device(home.puck.id, area_id=kitchen.id)
    part = home.devices.async_get_or_create_child(
        config_entry_id=home.entry.entry_id,
        identifiers={("wyoming", "part")},
        name="Left puck",
        parent_device_id=home.puck.id,
    )
    left = home.add_satellite("left", part.id)
    assert await home.origin(left) == Origin(
        satellite_id=left,
        satellite_name="Left puck",
        device_id=part.id,
        device_model="Voice PE",
        area=Place(id=kitchen.id, name="Kitchen"),
    )


async def test_what_is_not_there_is_not_told(home: Home) -> None:
    """An unknown device or user is no error."""
    assert await home.origin(device="gone", user="gone") == Origin(device_id="gone")
    assert await home.origin() == Origin()


async def test_a_user_is_called_like_their_person(home: Home) -> None:
    """The person is linked to the user, so nobody is guessed; the id is the user's."""
    anna = await home.hass.auth.async_create_user("anna.schmidt")
    assert (await home.origin(user=anna.id)).person == Person(id=anna.id, name="anna.schmidt")
    home.hass.states.async_set("person.bob", "home", {"friendly_name": "Bob", "user_id": "other"})
    home.hass.states.async_set("person.a", "home", {"friendly_name": "Anna", "user_id": anna.id})
    assert (await home.origin(user=anna.id)).person == Person(id=anna.id, name="Anna")


async def test_a_program_or_a_user_without_a_name_is_nobody(home: Home) -> None:
    """System users speak for integrations."""
    program = await home.hass.auth.async_create_system_user("Wyoming")
    nameless = await home.hass.auth.async_create_user("")
    for user in (program, nameless):
        assert (await home.origin(user=user.id)).person is None


async def test_the_user_of_a_satellite_is_a_person_or_nobody(home: Home) -> None:
    """Satellites may have a user of their own."""
    satellites = await home.hass.auth.async_create_user("Satellites")
    assert (await home.origin(PUCK, user=satellites.id)).person is None
    state = {"friendly_name": "Anna", "user_id": satellites.id}
    home.hass.states.async_set("person.a", "home", state)
    asked = await home.origin(PUCK, user=satellites.id)
    assert asked.person == Person(id=satellites.id, name="Anna")


async def test_an_action_may_name_where_and_who(home: Home) -> None:
    """The area goes before that of the satellite; the person is the one their user is."""
    kitchen, hall = home.areas.async_create("Kitchen"), home.areas.async_create("Hall")
    home.entities.async_update_entity(PUCK, area_id=kitchen.id)
    anna = await home.hass.auth.async_create_user("anna.schmidt")
    home.hass.states.async_set("person.a", "home", {"friendly_name": "Anna", "user_id": anna.id})
    named = async_named_origin(home.hass, satellite_id=PUCK, person_id="person.a", area_id=hall.id)
    asked = await home.origin(PUCK, user=anna.id)
    assert named == replace(asked, area=Place(id=hall.id, name="Hall"))
    assert async_named_origin(home.hass, satellite_id=PUCK) == replace(asked, person=None)


async def test_an_action_may_name_a_person_without_a_user(home: Home) -> None:
    """Known by the entity; what is not there at all is nobody, and nowhere."""
    home.hass.states.async_set("person.child", "home", {"friendly_name": "Tim", "user_id": None})
    child = async_named_origin(home.hass, person_id="person.child")
    assert child == Origin(person=Person(id="person.child", name="Tim"))
    assert async_named_origin(home.hass, person_id="person.gone", area_id="gone") == Origin()


KITCHEN = Origin(
    satellite_name="Puck",
    device_model="Voice PE",
    area=Place(id="kitchen", name="Kitchen"),
    floor=Place(id="ground", name="Ground floor"),
    person=Person(id="1", name="Anna"),
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("Be kind.", "Be kind."),
        (
            "{{ area }}, {{ floor }}, {{ satellite }}, {{ device }}, {{ person }}, {{ language }}",
            "Kitchen, Ground floor, Puck, Voice PE, Anna, de",
        ),
        ("It is {{ states('sensor.warmth') }} degrees.", "It is 21 degrees."),
        ("{{ 40 + 2 }}", "42"),
    ],
)
async def test_instructions_are_a_template(
    hass: HomeAssistant, template: str, expected: str
) -> None:
    """It knows the home and where the question comes from; its result is a text."""
    hass.states.async_set("sensor.warmth", "21")
    options = AgentOptions(instructions=template)
    assert async_render_instructions(hass, options, KITCHEN, language="de") == expected


async def test_a_template_can_tell_that_nobody_is_known(hass: HomeAssistant) -> None:
    """What is unknown is None."""
    options = AgentOptions(instructions="{{ 'a guest' if person is none else person }}")
    nobody = replace(KITCHEN, person=None)
    assert async_render_instructions(hass, options, nobody, language="de") == "a guest"


@pytest.mark.parametrize(
    ("template", "category"),
    [
        ("Anna's secret {{ 1 / 0 }}", "ZeroDivisionError"),
        ("Anna's secret {{ nonsense( }}", "TemplateSyntaxError"),
        ("{{ 'secret ' * 100000 }}", "TemplateError"),
    ],
)
async def test_instructions_that_fail_are_left_out(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, template: str, category: str
) -> None:
    """The turn goes on without them; the log has the kind of error and nothing of the text."""
    options = AgentOptions(instructions=template)
    assert async_render_instructions(hass, options, KITCHEN, language="de") == ""
    ours = [record for record in caplog.records if "openclaw_voice" in record.name]
    assert [record.getMessage() for record in ours] == [
        f"The instructions of an agent cannot be rendered: {category}"
    ]
    assert "secret" not in ours[0].getMessage()

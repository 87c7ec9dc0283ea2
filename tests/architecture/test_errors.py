"""Every error of the gateway client reaches people as a sentence."""

from collections.abc import Iterator
from importlib import import_module

from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryError,
    ConfigEntryNotReady,
    HomeAssistantError,
)
import pytest

from custom_components.openclaw_voice.exceptions import _RUN_FAILURES, describe, setup_error
from custom_components.openclaw_voice.gateway import errors as errors_module
from custom_components.openclaw_voice.gateway.errors import (
    AccessError,
    AgentNotFoundError,
    AnswerError,
    CannotConnectError,
    CertificateChangedError,
    ConnectionLostError,
    CredentialsRejectedError,
    GatewayError,
    GatewayMisconfiguredError,
    HandshakeRefusedError,
    MissingRightsError,
    NotAGatewayError,
    PairingRequiredError,
    ProtocolError,
    ProxyRefusedError,
    RateLimitedError,
    RequestError,
    RequestTimeoutError,
    RunError,
    RunFailedError,
    SetupCodeRejectedError,
    SignatureRejectedError,
    TalkUnavailableError,
    TlsError,
    UnsupportedVersionError,
    UntrustedCertificateError,
)

from .source import FILES, load_json

for path in FILES:
    if path.parent.name == "assist":
        # Errors are known when the files that define them are imported.
        import_module(f"custom_components.openclaw_voice.assist.{path.stem}")


def tree(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """Yield every class of the error tree."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


CLASSES = sorted(set(tree()), key=lambda kind: kind.__name__)
LANGUAGES = ("en", "de")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence(kind: type[GatewayError], language: str) -> None:
    """An unresolved key would be read aloud as it is."""
    exceptions = load_json(f"translations/{language}.json")["exceptions"]
    assert exceptions[kind.category]["message"].endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in CLASSES
        if not issubclass(kind, RunError | AgentNotFoundError | AnswerError | TalkUnavailableError)
        and kind is not AccessError
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_error_of_connecting_has_a_text_in_the_flow(
    kind: type[GatewayError], language: str
) -> None:
    """The flow tells errors apart by the tree."""
    assert load_json(f"translations/{language}.json")["config"]["error"][kind.category]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("failure", sorted(set(_RUN_FAILURES)))
def test_every_known_reason_of_a_failed_run_has_a_sentence(failure: str, language: str) -> None:
    """A wrong key of the model is another matter than a model that is overloaded."""
    key = describe(RunFailedError("x", kind=failure)).key
    assert key.startswith("run_failed_")
    assert load_json(f"translations/{language}.json")["exceptions"][key]["message"]


@pytest.mark.parametrize("kind", [None, "unknown", "something_new"])
def test_an_unknown_reason_of_a_failed_run_has_the_general_sentence(kind: str | None) -> None:
    """A newer gateway may know reasons we do not."""
    assert describe(RunFailedError("x", kind=kind)).key == "run_failed"


def test_every_class_of_the_error_module_belongs_to_the_tree() -> None:
    """An error that forgot its base class would pass every handler."""
    defined = {
        value
        for value in vars(errors_module).values()
        if isinstance(value, type) and value.__module__ == errors_module.__name__
    }
    assert defined <= set(CLASSES)


INSTANCES: list[tuple[GatewayError, type[HomeAssistantError], dict[str, str]]] = [
    (CannotConnectError("x"), ConfigEntryNotReady, {}),
    (TlsError("x"), ConfigEntryNotReady, {}),
    (UntrustedCertificateError("x"), ConfigEntryNotReady, {}),
    (CertificateChangedError("x", fingerprint="ab"), ConfigEntryError, {}),
    (ConnectionLostError(1006), ConfigEntryNotReady, {}),
    (NotAGatewayError("x"), ConfigEntryNotReady, {}),
    (ProtocolError("x"), ConfigEntryNotReady, {}),
    (RequestError("UNAVAILABLE", "x"), ConfigEntryNotReady, {}),
    (RequestTimeoutError("x"), ConfigEntryNotReady, {}),
    (
        PairingRequiredError("x", request_id="r-1", reason="not-paired"),
        ConfigEntryNotReady,
        {"command": "openclaw devices approve r-1"},
    ),
    (
        PairingRequiredError("x", request_id="", reason="not-paired"),
        ConfigEntryNotReady,
        {"command": "openclaw devices approve"},
    ),
    (CredentialsRejectedError("x"), ConfigEntryAuthFailed, {}),
    (SetupCodeRejectedError("x"), ConfigEntryAuthFailed, {}),
    (MissingRightsError("x", missing=("a", "b")), ConfigEntryError, {"missing": "a, b"}),
    (MissingRightsError("x"), ConfigEntryError, {"missing": "–"}),
    (ProxyRefusedError("x", status=403), ConfigEntryError, {"status": "403"}),
    (GatewayMisconfiguredError("x"), ConfigEntryError, {}),
    (SignatureRejectedError("x", expired=True), ConfigEntryError, {}),
    (UnsupportedVersionError("x", expected=5), ConfigEntryError, {}),
    (HandshakeRefusedError("x"), ConfigEntryError, {}),
    (RateLimitedError("x", retry_after=61.0), ConfigEntryNotReady, {"minutes": "2"}),
    (RateLimitedError("x", retry_after=0.5), ConfigEntryNotReady, {"minutes": "1"}),
    (RateLimitedError("x"), ConfigEntryNotReady, {"minutes": "5"}),
]


@pytest.mark.parametrize(
    ("error", "expected", "placeholders"), INSTANCES, ids=lambda value: type(value).__name__
)
def test_setup_ends_for_what_a_person_must_change_and_is_repeated_for_the_rest(
    error: GatewayError, expected: type[HomeAssistantError], placeholders: dict[str, str]
) -> None:
    """Home Assistant must neither give up on a restart nor hammer on a closed door."""
    raised = setup_error(error)
    assert type(raised) is expected
    assert raised.translation_domain == "openclaw_voice"
    assert raised.translation_key == error.category
    assert raised.translation_placeholders == placeholders


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("error", [row[0] for row in INSTANCES], ids=lambda e: type(e).__name__)
def test_placeholders_fill_the_sentence(error: GatewayError, language: str) -> None:
    """A placeholder that nobody fills would be read aloud, too."""
    text = describe(error)
    translations = load_json(f"translations/{language}.json")
    for template in (
        translations["exceptions"][text.key]["message"],
        translations["config"]["error"][text.key],
    ):
        filled = template.format(**text.placeholders)
        assert "{" not in filled
        assert all(value in filled for value in text.placeholders.values())

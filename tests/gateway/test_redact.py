"""Texts from outside lose their secrets and keep what a person needs."""

import base64
import time

from hypothesis import example, given, strategies as st
import pytest

from custom_components.openclaw_voice.gateway.redact import MASK, MAX_LENGTH, redact

UUID = "58496a9e-01b6-4485-8b5b-e60ed0ba23a1"
DEVICE_TOKEN = "pVQ2zX0b-1mKf8yW_dN5rT7uGhJ3cLsA9eRiOqB4xZk"
TOKEN_WITHOUT_DIGIT = "pVQzXbmKfyWdNrTuGhJcLsAeRiOqBxZkYtPwMnEvUaS"
SIGNATURE = DEVICE_TOKEN[::-1] + DEVICE_TOKEN
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param(f"device token {DEVICE_TOKEN} refused", DEVICE_TOKEN, id="device token"),
        pytest.param(
            f"got {TOKEN_WITHOUT_DIGIT}", TOKEN_WITHOUT_DIGIT, id="device token without a digit"
        ),
        pytest.param(f"got -{DEVICE_TOKEN[:31]}", DEVICE_TOKEN[:31], id="token that starts with -"),
        pytest.param(f"ä{DEVICE_TOKEN}", DEVICE_TOKEN, id="token after a letter that is not ASCII"),
        pytest.param(f"{UUID}-{DEVICE_TOKEN}", DEVICE_TOKEN, id="token after a UUID"),
        pytest.param(f"signature {SIGNATURE} is wrong", SIGNATURE, id="signature"),
        pytest.param(f"certificate {SHA256} is new", SHA256, id="sha256"),
        pytest.param("Authorization: Bearer abc.def", "abc.def", id="bearer header"),
        pytest.param("authorization: bearer abc+/=", "abc+/", id="bearer header in lower case"),
        pytest.param("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz", id="basic header"),
        pytest.param("wss://host/?key=abc&x=1", "abc", id="key in a query"),
        pytest.param("wss://host/?x=1&token=abc", "abc", id="token in a query"),
        pytest.param("wss://host/?access_token=abc#top", "abc", id="longer name in a query"),
        pytest.param('{"token":"abc def","x":1}', "abc def", id="token in JSON"),
        pytest.param('{"deviceToken": "abc"}', "abc", id="device token in JSON"),
        pytest.param(r'{"password":"ab\"cd"}', "cd", id="escaped quote in JSON"),
        pytest.param('{"token":"abc', "abc", id="JSON that was cut"),
        pytest.param("{'api_key': 'abc'}", "abc", id="key of a model in quotes"),
        pytest.param('{"privateKey":"abc"}', "abc", id="private key in JSON"),
        pytest.param("private_key=abc", "abc", id="private key"),
        pytest.param("nonce: abc", "abc", id="nonce"),
        pytest.param("ws://user:hunter2@host:18789/", "hunter2", id="URL with a user"),
        pytest.param(
            "ws://user:hunter@2@host/", "hunter", id="URL with an at sign in the password"
        ),
        pytest.param("ws://hunter2@host", "hunter2", id="URL with a user only"),
        pytest.param("key sk-proj-abc123 is invalid", "sk-proj-abc123", id="key of a provider"),
        pytest.param("password: hunter2", "hunter2", id="password in prose"),
        pytest.param("the secret = hunter2, sorry", "hunter2", id="secret in prose"),
        pytest.param("TOKEN=hunter2", "hunter2", id="environment variable"),
        pytest.param("error: token=hunter2", "hunter2", id="after another name"),
        pytest.param(r"{\"token\":\"abc\"}", "abc", id="JSON in JSON"),
        pytest.param("token=hunter…2secret", "2secret", id="value with an ellipsis"),
        pytest.param("pwd=hunter2", "hunter2", id="pwd"),
        pytest.param("passphrase=hunter2", "hunter2", id="passphrase"),
        pytest.param("auth=hunter2", "hunter2", id="auth"),
        pytest.param("x-auth: hunter2", "hunter2", id="longer name with auth"),
        pytest.param("credential=hunter2", "hunter2", id="credential"),
        pytest.param('{"credentials":"hunter2"}', "hunter2", id="credentials in JSON"),
        pytest.param("password: my hunter2 phrase", "hunter2 phrase", id="password of words"),
        pytest.param("Passphrase : it's my hunter2", "hunter2", id="passphrase of words"),
        pytest.param('password: "my" hunter2', "hunter2", id="password with quotes"),
        pytest.param("password:\n  hunter2", "hunter2", id="password in the next line"),
        pytest.param(r"{\"password\":\"my hunter2\"}", "hunter2", id="words in JSON in JSON"),
        pytest.param('{"password":"my hunter2"}', "hunter2", id="words in JSON"),
        pytest.param("Authorization: hunter2", "hunter2", id="header without a scheme"),
        pytest.param("authorization=hunter2", "hunter2", id="authorization in a query"),
        pytest.param("Authorization: Digest a=1, b=hunter2", "hunter2", id="header of parts"),
        pytest.param("proxy-authorization: Basic hunter2", "hunter2", id="header of a proxy"),
        pytest.param("Cookie: a=1; session=hunter2", "hunter2", id="cookie"),
        pytest.param("set-cookie: hunter2; Path=/", "hunter2", id="new cookie"),
        pytest.param("cookie=hunter2", "hunter2", id="cookie in a query"),
        pytest.param("x-api-key hunter2", "hunter2", id="header without a colon"),
        pytest.param("X-Api-Key : hunter2", "hunter2", id="header with a colon"),
        pytest.param("x-openclaw-token hunter2", "hunter2", id="other header without a colon"),
        pytest.param("token%3Dhunter2%26x%3D1", "hunter2", id="percent-encoded token"),
        pytest.param("u=http%3a%2f%2fh%3fkey%3dhunter2", "hunter2", id="percent-encoded key"),
        pytest.param("token%253Dhunter2", "hunter2", id="percent-encoded twice"),
        pytest.param("%22token%22%3A%22hunter2%22", "hunter2", id="percent-encoded JSON"),
        pytest.param("got AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7", id="key of a cloud"),
        pytest.param("got xoxb-1234-abcd", "1234-abcd", id="token of a chat"),
        pytest.param("got ghp_16C7e42F292c6912E7", "16C7e42F", id="token of a forge"),
        pytest.param("got eyJhbGciOi.eyJzdWIi.abc", "abc", id="JWT"),
        pytest.param("jwt_eyJhbGciOi.eyJzdWIi.abc", "eyJzdWIi", id="JWT after a name"),
        pytest.param("eyJhbGciOiJkaXIi..abc.def.ghi", "def", id="JWT with an empty part"),
        pytest.param("https://u:p/hunter2@host", "hunter2", id="URL with a slash in the password"),
        pytest.param("https://u:p@q/hunter2@host", "hunter2", id="URL with both in the password"),
        pytest.param('ws://u:a"hunter2@host', "hunter2", id="URL with a quote in the password"),
    ],
)
def test_secrets_are_masked(text: str, secret: str) -> None:
    """What looks like a secret, or is called one, does not get through."""
    redacted = redact(text)

    assert secret not in redacted
    assert MASK in redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"token":"abc","ok":true}', '{"token":***,"ok":true}'),
        ("wss://user:pass@host/?key=abc&x=1", "wss://***@host/?key=***&x=1"),
        ("token: hunter2, please", "token: ***, please"),
        ("password: my hunter2, please\nThanks.", "password: ***\nThanks."),
        ("cookie: a=1; b=2\r\nhost: x", "cookie: ***\r\nhost: x"),
        ('{"password":"a b","ok":true}', '{"password":***,"ok":true}'),
        ("ws://u:p/w@host:18789/ refused", "ws://***@host:18789/ refused"),
        ('"ws://host:18789/","mail":"a@b"', '"ws://host:18789/","mail":"a@b"'),
        ("ws://user@host/@me", "ws://***@host/@me"),
        ("x-api-key hunter2 is wrong", "x-api-key *** is wrong"),
        ("/?token%3Dhunter2&x=1", "/?token%3D***&x=1"),
        ("JWT eyJhbGciOi.eyJzdWIi.abc expired", "JWT *** expired"),
        (f"token {DEVICE_TOKEN}.", "token ***."),
    ],
    ids=[
        "JSON",
        "URL",
        "prose",
        "line",
        "header",
        "words in JSON",
        "URL with a slash in the password",
        "URL in JSON",
        "URL with a path",
        "header without a colon",
        "percent-encoded",
        "JWT",
        "bare token",
    ],
)
def test_what_stands_around_a_secret_stays(text: str, redacted: str) -> None:
    """Only the secret is replaced, so that the text still says what is wrong."""
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("The selected model was not found by the provider.", id="sentence"),
        pytest.param(
            f"pairing required: device is not approved yet (requestId: {UUID})", id="close reason"
        ),
        pytest.param(f"openclaw devices approve {UUID}", id="request id"),
        pytest.param(f"{UUID}:1", id="item id"),
        pytest.param(
            "unauthorized: gateway token mismatch (provide gateway auth token)",
            id="sentence about a token",
        ),
        pytest.param("unauthorized: device token mismatch (rotate/reissue)", id="reason"),
        pytest.param("AUTH_TOKEN_MISMATCH", id="code"),
        pytest.param("CONTROL_UI_DEVICE_IDENTITY_REQUIRED", id="long code"),
        pytest.param("gateway 2026.9.6, Home Assistant 2026.10.0b3", id="versions"),
        pytest.param(
            "agent:main:homeassistant:1a2b3c4d:conversation:01jabcdefghjkmnpqrstvwxyz0",
            id="session key",
        ),
        pytest.param("agent:main:homeassistant:1a2b3c4d:area:h-0123456789abcdef", id="hashed key"),
        pytest.param('session key "main" has no explicit owner', id="sentence about a key"),
        pytest.param("set gateway.dangerouslyAllowHostHeaderOriginFallback", id="setting"),
        pytest.param("ws://192.168.1.20:18789/ refused", id="address"),
        pytest.param("http://host/a?mode=b", id="query"),
        pytest.param("unauthorized: no author: authority", id="words with auth"),
        pytest.param("authentication: failed", id="authentication"),
        pytest.param("https://host/@user/repo", id="URL with an at sign in the path"),
        pytest.param("write to me@host: https://host/", id="mail address"),
        pytest.param("password: ", id="no password"),
        pytest.param("password:\n", id="no password in the line"),
        pytest.param("x-api-key", id="name of a header"),
        pytest.param("eyJ is short", id="short word"),
        pytest.param("50%3D", id="percent-encoded sign"),
        pytest.param("⚠️ Agent couldn't generate a response.", id="emoji"),
    ],
)
def test_harmless_texts_stay(text: str) -> None:
    """A person needs ids, codes, versions and sentences as they are."""
    assert redact(text) == text


def test_a_long_text_is_cut() -> None:
    """A text longer than a message is content, and content does not belong into a log."""
    redacted = redact("word " * 1_000)

    assert len(redacted) <= MAX_LENGTH
    assert redacted.startswith("word word ")
    assert redacted.endswith("…")


def test_a_text_of_the_full_length_is_not_cut() -> None:
    """The limit itself is still allowed."""
    text = "word " * (MAX_LENGTH // 5)

    assert redact(text) == text


@pytest.mark.parametrize("length", range(MAX_LENGTH - 50, MAX_LENGTH + 5))
def test_no_piece_of_a_secret_is_left_at_the_cut(length: int) -> None:
    """A secret that the cut goes through is dropped, not shortened to what looks harmless."""
    text = (". " * length)[:length] + DEVICE_TOKEN + " and more" * 1_000

    assert DEVICE_TOKEN[:4] not in redact(text)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "a-",
            "token",
            "token-1",
            "://",
            "://a",
            "sk-",
            "bearer ",
            '"',
            "token=",
            f"{UUID}-",
        ),
        *(
            "password: ",
            "password:…",
            "cookie:\n",
            "eyJ",
            "eyJ-",
            "eyJaaaaaaaa.",
            "x-api-key ",
            "x-",
        ),
        *("://a:", "://a:@/", "token%", "token%25", "auth-", '\\"', 'key:\\"', "AKIA", "gha_"),
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """A frame of 25 MB that is one long word does not block the loop."""
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()

    redact(text)

    assert time.perf_counter() - started < 0.5


def _tokens(size: int) -> st.SearchStrategy[str]:
    raw = st.binary(min_size=size, max_size=size)
    return raw.map(lambda value: base64.urlsafe_b64encode(value).rstrip(b"=").decode())


SECRETS = st.one_of(
    _tokens(32).filter(lambda token: token.lower() != token and token.upper() != token),
    _tokens(64).filter(lambda token: token.lower() != token and token.upper() != token),
    st.binary(min_size=32, max_size=32).map(bytes.hex).filter(lambda text: not text.isalpha()),
)
NAMED = st.sampled_from(
    [
        "{}",
        "token={}",
        "?key={}&x=1",
        '"signature":"{}"',
        "'password': '{}'",
        "Bearer {}",
        "wss://user:{}@host",
        "wss://user:a/{}@host",
        "cookie: a b {}",
        "passphrase: a b {}",
        "x-api-key {}",
        "token%3D{}",
        "pwd={}",
    ]
)
AROUND = st.text(alphabet=st.sampled_from(' .,:;"{}()&=?/\nTa…*'), max_size=600)


@given(AROUND, NAMED, SECRETS, AROUND)
def test_no_planted_secret_survives(before: str, name: str, secret: str, after: str) -> None:
    """Whatever stands around it and wherever the text is cut, a secret is not readable."""
    redacted = redact(f"{before} {name.format(secret)} {after}")

    assert secret not in redacted
    assert secret[:20] not in redacted


PIECES = st.sampled_from(
    [
        "token=",
        "password: ",
        '"token":"',
        '"',
        "'",
        "bearer ",
        "Basic ",
        "://",
        "@",
        "a",
        "1",
        " ",
        "…",
        "*",
        "***",
        "=",
        ":",
        ",",
        "-",
        "sk-",
        "cookie: ",
        "authorization:",
        "auth=",
        "/",
        "'",
        "\\",
        "\n",
        "%3D",
        "x-api-key ",
        "eyJaaaaaaaa",
        ".",
        DEVICE_TOKEN,
        UUID,
        UUID[:-2],
        "." * 90,
        "word " * 20,
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
@example("." * (MAX_LENGTH - 8) + " token=abc and more")
@example("." * (MAX_LENGTH - 9) + " token: abc and more")
@example("." * (MAX_LENGTH - 10) + " bearer abc and more")
@example("." * (MAX_LENGTH - 12) + " cookie: a b c and more")
@example("." * (MAX_LENGTH - 14) + " x-api-key abc and more")
@example("://token='a/b',:c@d")
@example("." * (MAX_LENGTH - 36) + f" {UUID} and more")
def test_redacting_twice_changes_nothing(text: str) -> None:
    """A text may pass here more than once on its way out."""
    once = redact(text)

    assert redact(once) == once
    assert len(once) <= MAX_LENGTH


@given(st.text())
def test_any_text_is_redacted_to_a_fixed_point(text: str) -> None:
    """No text makes it fail or differ the second time."""
    once = redact(text)

    assert redact(once) == once

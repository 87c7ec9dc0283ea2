"""The part of the flow that every door leads to: from address and credential to being let in.

It asks what only a person can decide (a certificate, plain text through the internet, a gateway
without authentication) and waits for the approval of the owner. What comes before and after it is
the business of `config_flow`.
"""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.util.ssl import get_default_no_verify_context
from probatio import Secret
import voluptuous as vol

from .const import CONF_BOOTSTRAP_TOKEN, CONF_CERTIFICATE_PIN, CONF_PRIVATE_KEY, CONF_SETUP_CODE
from .entry_data import CREDENTIALS
from .exceptions import ErrorText, describe
from .first_contact import Welcome, async_explain, async_first_contact, has_credential
from .flow_input import InvalidInputError, TypedSecret, read_setup_code
from .gateway.errors import (
    CertificateChangedError,
    GatewayError,
    PairingRequiredError,
    SetupCodeRejectedError,
    UntrustedCertificateError,
)
from .gateway.identity import DeviceIdentity
from .gateway.socket import fetch_certificate_pin
from .gateway_url import host_of, port_of, web_url
from .hosts import async_is_exposed, async_is_this_host
from .pairing import MAX_REQUESTS, PATIENCE, NotApprovedError, async_wait_for_approval
from .pending_keys import async_pending_keys

SECRET_FIELD: Final = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)
NO_DEVICE_TOKEN: Final = "no_device_token"  # noqa: S105 - a translation key
"""A setup code is good for ten minutes; without a token there would be no way back in."""

_CONFIRM: Final = vol.Schema({})
_SETUP_CODE_SCHEMA: Final = vol.Schema({vol.Required(Secret(CONF_SETUP_CODE)): SECRET_FIELD})


class ConnectFlow(ConfigFlow):
    """Steps between the doors and the ends of the flow."""

    def __init__(self) -> None:
        """Begin without a gateway."""
        self._draft: dict[str, Any] = {}
        self._key = DeviceIdentity.create().private_key
        """One device key for the whole flow: an approval is for the key that asked for it."""

        self._known_pin: str | None = None
        """The certificate an entry was set up with."""

        self._pins: dict[str, str] = {}
        """Certificates that were confirmed in this flow, by address."""

        self._seen_pin = ""
        self._confirmed: set[str] = set()
        """Addresses that may be sent a secret in plain text."""

        self._is_open_confirmed = False
        self._is_of_entry = False
        self._approval: asyncio.Task[Welcome] | None = None
        self._requests = 0
        self._until = 0.0
        self._welcome: Welcome
        self._request: PairingRequiredError
        self._failure: GatewayError

    @abstractmethod
    async def _async_ask_again(self, text: ErrorText) -> ConfigFlowResult:
        """Show the form the flow began with, and what was wrong."""

    @abstractmethod
    async def _async_let_in(self, welcome: Welcome) -> ConfigFlowResult:
        """Go on with a gateway that has let us in."""

    async def _async_begin(
        self, url: str, typed: TypedSecret, *, known: Mapping[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Connect with what was typed, or, when no secret was, with what an entry knows.

        The device key of the entry is kept in any case.
        """
        draft: dict[str, Any] = {CONF_URL: url}
        if typed.secret is not None:
            draft[CONF_TOKEN] = typed.secret
        elif typed.bootstrap_token is not None:
            draft[CONF_BOOTSTRAP_TOKEN] = typed.bootstrap_token
        elif known is not None:
            draft |= {key: known[key] for key in CREDENTIALS if key in known}
        if known is None:
            draft[CONF_PRIVATE_KEY] = await self._async_key(url)
        else:
            draft[CONF_PRIVATE_KEY] = known[CONF_PRIVATE_KEY]
            self._known_pin = known.get(CONF_CERTIFICATE_PIN)
        if url in self._pins:
            draft[CONF_CERTIFICATE_PIN] = self._pins[url]
        self._is_of_entry = known is not None
        self._draft = draft
        return await self._async_connect()

    async def _async_key(self, url: str) -> str:
        """Return the key that an owner may have approved meanwhile, else the one of the flow."""
        kept = await async_pending_keys(self.hass).async_get(url)
        return self._key if kept is None else kept.private_key

    async def _async_connect(self) -> ConfigFlowResult:
        """Go as far as possible without asking anybody."""
        url = self._draft[CONF_URL]
        try:
            if url not in self._confirmed and await async_is_exposed(self.hass, url):
                return await self.async_step_plain_text()
            self._welcome = await async_first_contact(self.hass, self._draft)
        except UntrustedCertificateError, CertificateChangedError:
            return await self._async_look_at_certificate()
        except PairingRequiredError as err:
            return await self._async_begin_pairing(err)
        except GatewayError as err:
            return await self._async_failed(err)
        return await self.async_step_welcome()

    async def _async_failed(self, error: GatewayError) -> ConfigFlowResult:
        """Say what is wrong where it can be put right."""
        if isinstance(error, SetupCodeRejectedError):
            return self._show_setup_code(describe(error).key)
        return await self._async_ask_again(await async_explain(self.hass, self._draft, error))

    # what only a person can decide

    async def async_step_plain_text(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether the secret may go through the internet in plain text."""
        if user_input is not None:
            self._confirmed.add(self._draft[CONF_URL])
            return await self._async_connect()
        return self.async_show_form(
            step_id="plain_text", data_schema=_CONFIRM, description_placeholders=self._host()
        )

    async def _async_look_at_certificate(self) -> ConfigFlowResult:
        """Find out which certificate it is, and ask for what is not known."""
        try:
            pin = await fetch_certificate_pin(
                self._draft[CONF_URL], get_default_no_verify_context()
            )
        except GatewayError as err:
            return await self._async_failed(err)
        self._seen_pin = pin
        if pin == self._known_pin and CONF_CERTIFICATE_PIN not in self._draft:
            return await self.async_step_certificate({})
        if self._known_pin is None and CONF_CERTIFICATE_PIN not in self._draft:
            return await self.async_step_certificate()
        return await self.async_step_certificate_changed()

    async def async_step_certificate(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the fingerprint of a certificate nobody vouches for; from then on it is pinned."""
        if user_input is not None:
            self._draft[CONF_CERTIFICATE_PIN] = self._seen_pin
            self._pins[self._draft[CONF_URL]] = self._seen_pin
            return await self._async_connect()
        return self.async_show_form(
            step_id="certificate",
            data_schema=_CONFIRM,
            description_placeholders=self._certificate(),
        )

    async def async_step_certificate_changed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the fingerprint of a certificate that takes the place of a confirmed one."""
        if user_input is not None:
            return await self.async_step_certificate(user_input)
        known = self._draft.get(CONF_CERTIFICATE_PIN, self._known_pin or "")
        return self.async_show_form(
            step_id="certificate_changed",
            data_schema=_CONFIRM,
            description_placeholders=self._certificate() | {"known": readable_fingerprint(known)},
        )

    async def async_step_welcome(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on with a gateway that lets us in."""
        if CONF_BOOTSTRAP_TOKEN in self._draft and self._welcome.hello.device_token is None:
            return await self._async_ask_again(ErrorText(key=NO_DEVICE_TOKEN))
        if (
            not has_credential(self._draft)
            and not self._is_open_confirmed
            and not await async_is_this_host(self.hass, self._draft[CONF_URL])
        ):
            return await self.async_step_no_secret()
        return await self._async_let_in(self._welcome)

    async def async_step_no_secret(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether a gateway of another host is meant to let everybody in."""
        if user_input is not None:
            self._is_open_confirmed = True
            return await self.async_step_welcome()
        return self.async_show_form(
            step_id="no_secret", data_schema=_CONFIRM, description_placeholders=self._host()
        )

    async def async_step_setup_code(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take a new setup code for the address that has answered."""
        if user_input is None:
            return self._show_setup_code()
        try:
            token = read_setup_code(user_input[CONF_SETUP_CODE])
        except InvalidInputError as err:
            return self._show_setup_code(err.key)
        self._draft[CONF_BOOTSTRAP_TOKEN] = token
        return await self._async_connect()

    def _show_setup_code(self, error: str | None = None) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="setup_code",
            data_schema=_SETUP_CODE_SCHEMA,
            errors={} if error is None else {CONF_SETUP_CODE: error},
            description_placeholders=self._host(),
        )

    # the approval of the owner

    async def _async_begin_pairing(self, request: PairingRequiredError) -> ConfigFlowResult:
        """Keep the key that is to be approved, and begin to wait."""
        if not self._is_of_entry:
            await async_pending_keys(self.hass).async_keep(
                self._draft[CONF_URL], self._draft[CONF_PRIVATE_KEY]
            )
        self._request = request
        self._requests = 1
        self._until = self.hass.loop.time() + PATIENCE
        return await self.async_step_pairing()

    async def async_step_pairing(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the command for the owner until it was run: one task for each request."""
        if self._approval is not None and self._approval.done():
            next_step_id = self._after_waiting(self._approval)
            self._approval = None
            if next_step_id is not None:
                return self.async_show_progress_done(next_step_id=next_step_id)
        if self._approval is None:
            self._approval = self.hass.async_create_background_task(
                async_wait_for_approval(
                    self._async_attempt, self._request.request_id, until=self._until
                ),
                "openclaw_voice approval",
            )
        return self.async_show_progress(
            step_id="pairing",
            progress_action="pairing",
            description_placeholders=describe(self._request).placeholders
            | {"web": web_url(self._draft[CONF_URL])},
            progress_task=self._approval,
        )

    async def _async_attempt(self) -> Welcome:
        return await async_first_contact(self.hass, self._draft)

    def _after_waiting(self, approval: asyncio.Task[Welcome]) -> str | None:
        """Return the step that follows, None when there is another request to wait for."""
        try:
            self._welcome = approval.result()
        except NotApprovedError:
            return "pairing_timeout"
        except PairingRequiredError as err:
            self._request = err
            self._requests += 1
            return "pairing_refused" if self._requests > MAX_REQUESTS else None
        except GatewayError as err:
            self._failure = err
            return "pairing_failed"
        return "welcome"

    async def async_step_pairing_timeout(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to go on waiting."""
        if user_input is not None:
            return await self._async_connect()
        return self.async_show_form(
            step_id="pairing_timeout", data_schema=_CONFIRM, description_placeholders=self._host()
        )

    async def async_step_pairing_refused(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to ask the owner again after several requests came to nothing."""
        if user_input is not None:
            return await self._async_connect()
        return self.async_show_form(
            step_id="pairing_refused", data_schema=_CONFIRM, description_placeholders=self._host()
        )

    async def async_step_pairing_failed(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say what came in between while waiting."""
        if isinstance(self._failure, CertificateChangedError | UntrustedCertificateError):
            return await self._async_look_at_certificate()
        return await self._async_failed(self._failure)

    def _certificate(self) -> dict[str, str]:
        return self._host() | {
            "fingerprint": readable_fingerprint(self._seen_pin),
            "command": fingerprint_command(self._draft[CONF_URL]),
        }

    def _host(self) -> dict[str, str]:
        return {"host": host_of(self._draft[CONF_URL])}


def fingerprint_command(url: str) -> str:
    """Return what shows the fingerprint on the host of the gateway, where nobody is in between."""
    return (
        f"openssl s_client -connect localhost:{port_of(url)} < /dev/null"
        " | openssl x509 -noout -fingerprint -sha256"
    )


def readable_fingerprint(pin: str) -> str:
    """Return a fingerprint as `openssl x509 -fingerprint` shows it, in two lines."""
    pairs = [pin[start : start + 2].upper() for start in range(0, len(pin), 2)]
    half = len(pairs) // 2
    return f"{':'.join(pairs[:half])}:\n{':'.join(pairs[half:])}"

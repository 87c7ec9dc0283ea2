"""The unasked capability: what agents say that no run of ours hands out."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from .unasked_message import UnaskedMessage

if TYPE_CHECKING:
    from .client import GatewayClient


class Unasked:
    """Tells what agents say by themselves, as it happens and afterwards."""

    def __init__(self, client: GatewayClient) -> None:
        """Work through the connections of `client`."""
        self._client = client

    def subscribe(
        self,
        callback: Callable[[UnaskedMessage], None],
        *,
        is_ours: Callable[[str], bool],
        on_missed: Callable[[], None],
    ) -> Callable[[], None]:
        """Call `callback` with every such message, in order; return what ends that.

        Args:
            callback: Takes a message.
            is_ours: Whether a session, by its key, matters. Nothing of others is kept or asked for.
            on_missed: Called when messages came that could not be told: read `since`.
        """
        raise NotImplementedError

    async def since(self, session_key: str, after: datetime) -> tuple[UnaskedMessage, ...]:
        """Return such messages of a session after a moment, oldest first, from its history.

        Raises:
            GatewayError: What `request` raises.
        """
        raise NotImplementedError

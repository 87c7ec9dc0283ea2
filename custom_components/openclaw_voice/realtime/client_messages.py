"""Messages of a satellite -> events (pure).

What is read is whole and within bounds: whoever gets an event need not check it again.
"""

from .client_events import ClientEvent
from .session_config import Transport


def parse(message: str | bytes, transport: Transport = Transport.JSON) -> ClientEvent:
    """Read one message of a satellite.

    With binary transport the bytes of a binary message are audio; else they hold JSON, too.

    Raises:
        ProtocolProblem: It cannot be taken; the message is only told by names of fields.
    """
    raise NotImplementedError

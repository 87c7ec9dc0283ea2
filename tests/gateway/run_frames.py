"""Frames of one run, and what a reader makes of them, in words."""

import json
from typing import Any

from custom_components.openclaw_voice.gateway.frames import GatewayEvent, Response, parse_frame
from custom_components.openclaw_voice.gateway.run_items import (
    ChatDelta,
    ChatFinal,
    MessageStarted,
    RunItem,
    RunOutcome,
    ToolActivity,
    ToolPhase,
)
from custom_components.openclaw_voice.gateway.run_reader import (
    RunReader,
)

type Payload = dict[str, Any]


def taken(reader: RunReader) -> list[RunItem]:
    """Take everything that waits, and the end."""
    items: list[RunItem] = []
    while (item := reader.take()) is not None:
        items.append(item)
    return items


def said(*messages: str) -> list[RunItem]:
    """Return the items of whole messages."""
    return [item for text in messages for item in (MessageStarted(), ChatDelta(text))]


def answered(text: str, *, links: tuple[str, ...] = (), is_from_gateway: bool = False) -> ChatFinal:
    """Return the end of an answered run."""
    return ChatFinal(
        outcome=RunOutcome.ANSWERED, text=text, links=links, is_from_gateway=is_from_gateway
    )


SILENT = ChatFinal(outcome=RunOutcome.SILENT)


def aborted(text: str = "") -> ChatFinal:
    """Return the end of an aborted run."""
    return ChatFinal(outcome=RunOutcome.ABORTED, text=text)


def message(text: str, **more: object) -> Payload:
    """Return a `chat` message."""
    return {"role": "assistant", "content": [{"type": "text", "text": text}]} | more


def chat(state: str, text: str | None = None, **more: object) -> GatewayEvent:
    """Return a `chat` event."""
    payload: Payload = {"runId": "r", "state": state}
    if text is not None:
        payload["message"] = message(text)
    return GatewayEvent(name="chat", payload=payload | more)


def agent(stream: str, **data: object) -> GatewayEvent:
    """Return an `agent` event."""
    return GatewayEvent(name="agent", payload={"runId": "r", "stream": stream, "data": data})


def assistant(text: str, item_id: str | None = "m:1", **more: object) -> GatewayEvent:
    """Return an event with the text of a message so far."""
    return agent("assistant", text=text, itemId=item_id, **more)


def disposition(word: object) -> GatewayEvent:
    """Return the lifecycle event that tells how a run without a visible answer ended."""
    return agent("lifecycle", phase="error", terminalReply={"disposition": word})


def tool_start(call_id: str = "c1", name: str = "exec", **more: object) -> GatewayEvent:
    """Return the start of a tool, with its arguments."""
    data = {"phase": "start", "toolCallId": call_id, "name": name, "args": {"command": "ls"}}
    return agent("tool", **data | more)


def tool_result(text: str = "file", call_id: str = "c1", **more: object) -> GatewayEvent:
    """Return the result of a tool."""
    result = {"content": [{"type": "text", "text": text}]}
    data = {"phase": "result", "toolCallId": call_id, "name": "exec", "result": result}
    return agent("tool", **data | more)


def tool_end(call_id: str = "c1", status: str = "completed", **more: object) -> GatewayEvent:
    """Return the end of a tool."""
    data = {"kind": "tool", "phase": "end", "toolCallId": call_id, "name": "exec"}
    return agent("item", **data | {"status": status, "title": "Exec ls"} | more)


def response(status: object, error: Payload | None = None, **more: object) -> Response:
    """Return a response of the `agent` call."""
    frame = {"type": "res", "id": "1", "ok": error is None, "payload": {"status": status} | more}
    parsed = parse_frame(json.dumps(frame | ({"error": error} if error else {})))
    assert isinstance(parsed, Response)
    return parsed


def result(*texts: str, media_url: object = None, **meta: object) -> Payload:
    """Return the result of the last response."""
    payloads: list[Payload] = [{"text": text, "mediaUrl": None} for text in texts]
    if media_url is not None:
        payloads.append({"mediaUrl": media_url})
    return {"payloads": payloads, "meta": meta}


STARTED = ToolActivity(
    call_id="c1", name="exec", phase=ToolPhase.START, arguments={"command": "ls"}
)
ENDED = ToolActivity(call_id="c1", name="exec", phase=ToolPhase.END, title="Exec ls", result="file")

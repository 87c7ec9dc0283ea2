"""JSON of every shape, for readers that must survive it."""

from typing import Any, Final

from hypothesis import strategies as st

WORDS: Final = (
    "",
    "x",
    "ok",
    "error",
    "event",
    "res",
    "hello-ok",
    "agent",
    "chat",
    "user",
    "assistant",
    "toolResult",
    "start",
    "end",
    "stop",
    "text",
    "tool",
    "x:user",
    "main_session_restart_recovery",
    "\ud83d",
)
"""Words that mean something somewhere, and half an emoji."""

FIELDS: Final = (
    "type",
    "event",
    "id",
    "ok",
    "payload",
    "error",
    "code",
    "message",
    "details",
    "reason",
    "retryAfterMs",
    "retryable",
    "auth",
    "server",
    "policy",
    "features",
    "methods",
    "scopes",
    "protocol",
    "version",
    "maxPayload",
    "tickIntervalMs",
    "agents",
    "identity",
    "name",
    "state",
    "stream",
    "data",
    "phase",
    "text",
    "itemId",
    "toolCallId",
    "content",
    "result",
    "payloads",
    "status",
    "role",
    "messages",
    "inFlightRun",
    "sessionInfo",
    "activeRunIds",
    "runId",
    "idempotencyKey",
    "provenance",
    "sourceTool",
    "__openclaw",
    "stopReason",
)
"""Field names that some reader asks for."""

_SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)

JSON_VALUES: Final[st.SearchStrategy[Any]] = st.recursive(
    _SCALARS,
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), values, max_size=6)
    ),
    max_leaves=8,
)
"""Any JSON, with field names that mean something."""

JSON_OBJECTS: Final[st.SearchStrategy[dict[str, Any]]] = st.dictionaries(
    st.sampled_from(FIELDS), JSON_VALUES, max_size=8
)
"""Any JSON object."""

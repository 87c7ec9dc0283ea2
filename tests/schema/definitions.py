"""Which definition of the published schema describes what, and what the real gateway sends besides.

The schema names the definitions but not the methods they belong to, so the tables are ours. What
we send is checked strictly. What the gateway sends carries more fields than its schema admits:
`EXTRA_FIELDS` lists them, and a test finds each of them in a recording.
"""

from collections.abc import Mapping
from typing import Final

NO_PARAMS: Final = "NoParams"
"""Stands for an empty, closed object where the schema has no definition."""

PARAMS: Final[Mapping[str, str]] = {
    "agent": "AgentParams",
    "agent.identity.get": "AgentIdentityParams",
    "agent.wait": "AgentWaitParams",
    "agents.list": "AgentsListParams",
    "chat.abort": "ChatAbortParams",
    "chat.history": "ChatHistoryParams",
    "chat.inject": "ChatInjectParams",
    "chat.send": "ChatSendParams",
    "connect": "ConnectParams",
    "cron.add": "CronAddParams",
    "cron.list": "CronListParams",
    "cron.remove": "CronRemoveParams",
    "cron.run": "CronRunParams",
    "cron.runs": "CronRunsParams",
    "cron.status": "CronStatusParams",
    "exec.approval.list": NO_PARAMS,
    "exec.approval.request": "ExecApprovalRequestParams",
    "exec.approval.resolve": "ExecApprovalResolveParams",
    "gateway.identity.get": NO_PARAMS,
    "last-heartbeat": NO_PARAMS,
    "models.list": "ModelsListParams",
    "plugin.approval.list": NO_PARAMS,
    "plugin.approval.request": "PluginApprovalRequestParams",
    "plugin.approval.resolve": "PluginApprovalResolveParams",
    "question.list": "QuestionListParams",
    "question.resolve": "QuestionResolveParams",
    "sessions.describe": "SessionsDescribeParams",
    "sessions.list": "SessionsListParams",
    "sessions.messages.subscribe": "SessionsMessagesSubscribeParams",
    "sessions.patch": "SessionsPatchParams",
    "system.info": "SystemInfoParams",
    "talk.catalog": "TalkCatalogParams",
    "talk.client.toolCall": "TalkClientToolCallParams",
    "talk.session.acknowledgeMark": "TalkSessionAcknowledgeMarkParams",
    "talk.session.appendAudio": "TalkSessionAppendAudioParams",
    "talk.session.cancelOutput": "TalkSessionCancelOutputParams",
    "talk.session.close": "TalkSessionCloseParams",
    "talk.session.create": "TalkSessionCreateParams",
    "talk.session.steer": "TalkSessionSteerParams",
    "talk.session.submitToolResult": "TalkSessionSubmitToolResultParams",
    "tasks.list": "TasksListParams",
    "usage.cost": "SessionsUsageParams",
    "wake": "WakeParams",
}
"""Method -> what its params must be."""

EXTRA_PARAMS: Final[Mapping[str, frozenset[str]]] = {
    "chat.send": frozenset({"workContext"}),
    "sessions.list": frozenset({"activeOnly"}),
    "usage.cost": frozenset({"days"}),
}
"""Method -> params that the gateway takes although the published schema is older than them."""

RESULTS: Final[Mapping[str, str]] = {
    "agent.identity.get": "AgentIdentityResult",
    "agents.list": "AgentsListResult",
    "connect": "HelloOk",
    "models.list": "ModelsListResult",
    "question.list": "QuestionListResult",
    "question.resolve": "QuestionResolveResult",
    "talk.client.toolCall": "TalkClientToolCallResult",
    "talk.session.acknowledgeMark": "TalkSessionOkResult",
    "talk.session.appendAudio": "TalkSessionOkResult",
    "talk.session.cancelOutput": "TalkSessionCancelOutputResult",
    "talk.session.close": "TalkSessionOkResult",
    "talk.session.create": "TalkSessionCreateResult",
    "talk.session.steer": "TalkAgentControlResult",
    "talk.session.submitToolResult": "TalkSessionOkResult",
}
"""Method -> what the payload of a successful response is, where the schema says so."""

EVENTS: Final[Mapping[str, str]] = {
    "agent": "AgentEvent",
    "chat": "ChatEvent",
    "question.requested": "QuestionRecord",
    "question.resolved": "QuestionResolvedEvent",
    "shutdown": "ShutdownEvent",
    "tick": "TickEvent",
}
"""Event -> what its payload is, where the schema says so."""

AGENT_EVENT_FIELDS: Final = frozenset(
    {
        "abortedLastRun",
        "activeModel",
        "activeModelProvider",
        "activitySummary",
        "agentId",
        "agentRuntime",
        "agentStatus",
        "archiveReason",
        "archived",
        "archivedAt",
        "archivedBy",
        "autoLabel",
        "boardPresentation",
        "category",
        "channelAvatarUrl",
        "chatType",
        "color",
        "contextBudgetStatus",
        "contextTokens",
        "controlOwnerSessionKey",
        "createdActor",
        "createdAt",
        "createdVia",
        "displayName",
        "effectiveFastMode",
        "effectiveFastModeSource",
        "effectiveResponseUsage",
        "endedAt",
        "fastAutoOnSeconds",
        "goal",
        "hasAutomation",
        "icon",
        "inputTokens",
        "kind",
        "label",
        "lane",
        "lastActivityAt",
        "lastRunError",
        "lastRunId",
        "markedUnreadAt",
        "model",
        "modelOverrideSource",
        "modelProvider",
        "observerDigest",
        "outputTokens",
        "owner",
        "participantCount",
        "participants",
        "permissionMode",
        "permissionModePending",
        "pinned",
        "pinnedAt",
        "providerReview",
        "restartRecoveryStatus",
        "runtimeMs",
        "runtimeSelectionLocked",
        "session",
        "sessionId",
        "sessionKey",
        "startedAt",
        "status",
        "swarm",
        "systemSent",
        "thinkingLevel",
        "toolOverrides",
        "totalTokens",
        "totalTokensFresh",
        "unread",
        "updatedAt",
        "visibility",
    }
)
"""The run's whereabouts in every frame; those of the stream `tool` repeat the session's whole row."""

EXTRA_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "AgentEvent": AGENT_EVENT_FIELDS,
    "HelloOk": frozenset(
        {"auth/method", "controlUiLinkReaders", "snapshot/health/eventLoop/cpuBreakdown"}
    ),
    "TalkSessionCreateResult": frozenset({"voiceSessionId"}),
}
"""Definition -> fields that the gateway sends although the schema forbids them, as paths."""

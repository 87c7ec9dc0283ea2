"""OpenClaw Voice: ask OpenClaw agents through Assist."""

"""The realtime backend on Home Assistant's own speech engines."""

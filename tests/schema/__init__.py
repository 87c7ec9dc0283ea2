"""Checks frames against the gateway's own published schema (npm `@openclaw/gateway-protocol`)."""

from .check import ProtocolViolation, check_received, check_sent

__all__ = ["ProtocolViolation", "check_received", "check_sent"]

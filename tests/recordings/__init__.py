"""Exchanges recorded from a real gateway, one scenario a file. See `record` for how to make one."""

from .recording import Recording, names

__all__ = ["Recording", "names"]

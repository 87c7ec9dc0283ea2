"""Tests of what reaches people outside a turn."""

"""Tests of the bench's parts; the measuring itself is for scripts/bench."""

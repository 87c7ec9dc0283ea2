"""Tests of the bench of conversations by voice."""

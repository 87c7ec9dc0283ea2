"""Tests of the realtime room."""

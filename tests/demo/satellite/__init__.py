"""Tests of the reference satellite."""

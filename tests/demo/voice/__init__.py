"""Tests of the demo's voice. Real speech is for the tests marked e2e."""

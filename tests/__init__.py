"""Tests of the integration. They mirror the source tree, see ARCHITECTURE.md."""

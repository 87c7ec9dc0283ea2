"""Tests of one turn with an agent."""

"""Test doubles. They stand on the other side of a real socket and know nothing of our classes."""

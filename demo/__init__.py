"""The main job on the real things: a gateway, a local model, Home Assistant, one question.

For `scripts/demo`, `scripts/develop` and the end-to-end tests. Nothing here is part of the integration.
"""

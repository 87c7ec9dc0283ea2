"""A realtime satellite: the example to port, and something to talk with.

It needs nothing of the integration, and no package but `websockets`.
"""

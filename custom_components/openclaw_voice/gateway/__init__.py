"""Client of the OpenClaw gateway: protocol 4 over one WebSocket.

This package has never heard of Home Assistant. It can be lifted out by moving the folder.
"""

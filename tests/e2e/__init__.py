"""A real Home Assistant with this integration, on a real gateway."""

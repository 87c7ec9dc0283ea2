"""What reaches people outside a turn."""

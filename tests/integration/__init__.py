"""Home Assistant with this integration, through its public surfaces, and a fake gateway on a real socket."""

"""One spoken or typed turn with an agent of the gateway."""

"""What a gateway must do for us: one suite, played against the fake and against the real one."""

"""Live audio sessions: a satellite, and what answers it."""

"""Real speech without a network: a voice, a recogniser, and what speaks to Home Assistant with them."""

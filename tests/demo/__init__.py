"""Quick tests of what the demo and the end-to-end tests are made of."""

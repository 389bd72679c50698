"""The generators of organisations, and the measuring."""

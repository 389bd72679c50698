"""The demo organisation, synthetic organisations of any size, and the figures of the program on them."""

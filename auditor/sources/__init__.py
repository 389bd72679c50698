"""Where an inventory comes from."""

"""What is known about one cluster, derived from the inventory."""

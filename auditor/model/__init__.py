"""What is known about clusters and networks: plain, frozen data."""

"""Rules meet resources."""

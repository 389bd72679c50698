"""A report as text."""

"""Symbolic analysis of firewall rules."""

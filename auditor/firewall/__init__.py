"""Symbolic analysis of firewall rules: which packets between Pods are permitted."""

from auditor.firewall.analyzer import Analyzer

__all__ = ["Analyzer"]

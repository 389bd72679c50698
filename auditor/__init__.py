"""Audits intra-node visibility of Google Kubernetes Engine clusters from their inventory."""

__version__ = "0.1.0"

"""What is known about one cluster, derived from the inventory."""

from auditor.facts.derive import Deriver

__all__ = ["Deriver"]

"""What is known about one cluster, derived from the inventory."""

from auditor.facts.derive import Deriver
from auditor.facts.readiness import readiness

__all__ = ["Deriver", "readiness"]

"""Terraform's JSON output, plans and states, as part of an inventory."""

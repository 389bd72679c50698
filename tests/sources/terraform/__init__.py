"""Tests of Terraform plans and states as sources."""

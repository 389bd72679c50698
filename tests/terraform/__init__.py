"""Tests of the mapping to Terraform configuration."""

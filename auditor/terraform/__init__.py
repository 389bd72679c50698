"""Which block of a Terraform configuration declares a resource, the fix in its terms, and its waivers."""

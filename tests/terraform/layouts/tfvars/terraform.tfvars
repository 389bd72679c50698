project_id = "from-terraform-tfvars"
region     = "europe-west1"
name       = "first"

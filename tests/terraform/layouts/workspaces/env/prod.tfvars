project = "acme-prod"
region  = "europe-west1"

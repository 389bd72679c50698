output "job" {
  description = "Name of the Cloud Run job; `gcloud run jobs execute` starts it by hand."
  value       = google_cloud_run_v2_job.audit.name
}

output "service_account" {
  description = "The account that reads the inventory."
  value       = google_service_account.auditor.email
}

output "reports" {
  description = "Where snapshots and reports are left, one folder for each run."
  value       = google_storage_bucket.reports.url
}

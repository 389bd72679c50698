locals {
  services = [
    "cloudasset.googleapis.com",
    "cloudscheduler.googleapis.com",
    "container.googleapis.com",
    "run.googleapis.com",
  ]

  # Reading roles only; docs/permissions.md says what each is for.
  roles = concat(
    ["roles/cloudasset.viewer", "roles/container.clusterViewer"],
    var.kubernetes_evidence ? ["roles/container.viewer"] : [],
  )

  collect_options = concat(var.kubernetes_evidence ? ["--kubernetes-evidence"] : [], var.collect_options)
}

resource "google_project_service" "needed" {
  for_each = toset(local.services)

  project            = var.project
  service            = each.value
  disable_on_destroy = false
}

resource "google_service_account" "auditor" {
  project      = var.project
  account_id   = "gke-auditor"
  display_name = "gke-auditor: reads the organization's inventory"
}

resource "google_organization_iam_member" "auditor" {
  for_each = toset(local.roles)

  org_id = var.organization
  role   = each.value
  member = google_service_account.auditor.member
}

resource "google_project_iam_member" "quota" {
  project = var.project
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = google_service_account.auditor.member
}

resource "google_storage_bucket" "reports" {
  project                     = var.project
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    condition {
      age = var.retention_days
    }
    action {
      type = "Delete"
    }
  }
}

resource "google_storage_bucket_iam_member" "auditor" {
  bucket = google_storage_bucket.reports.name
  role   = "roles/storage.objectUser"
  member = google_service_account.auditor.member
}

resource "google_cloud_run_v2_job" "audit" {
  project             = var.project
  name                = "gke-auditor"
  location            = var.region
  deletion_protection = false

  template {
    template {
      service_account = google_service_account.auditor.email
      timeout         = "7200s"
      max_retries     = 1

      containers {
        image   = var.image
        command = ["gke-auditor-audit"]

        env {
          name  = "SCOPES"
          value = "organizations/${var.organization}"
        }
        env {
          name  = "COLLECT_OPTIONS"
          value = join(" ", local.collect_options)
        }
        env {
          name  = "GOOGLE_CLOUD_QUOTA_PROJECT"
          value = var.project
        }

        # Files that are written live in memory: the state of a large collection takes some hundred MB.
        resources {
          limits = {
            cpu    = "2"
            memory = "4Gi"
          }
        }

        volume_mounts {
          name       = "reports"
          mount_path = "/reports"
        }
      }

      volumes {
        name = "reports"
        gcs {
          bucket    = google_storage_bucket.reports.name
          read_only = false
        }
      }
    }
  }

  depends_on = [google_project_service.needed, google_storage_bucket_iam_member.auditor]
}

resource "google_service_account" "scheduler" {
  project      = var.project
  account_id   = "gke-auditor-scheduler"
  display_name = "Starts the gke-auditor job"
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_job.audit.name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_cloud_scheduler_job" "audit" {
  project          = var.project
  region           = var.region
  name             = "gke-auditor"
  schedule         = var.schedule
  time_zone        = var.time_zone
  attempt_deadline = "320s"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.audit.id}:run"

    oauth_token {
      service_account_email = google_service_account.scheduler.email
    }
  }

  depends_on = [google_project_service.needed, google_cloud_run_v2_job_iam_member.scheduler]
}

/* A header
   over several lines, with a "resource" "that" { is = "none" } in it. */

locals {
  script = <<-EOT
    resource "google_container_cluster" "not_one" {
      name = "inside-a-heredoc"
    }
    ${local.name}
  EOT

  name = trimspace(<<EOT
heredoc-name
EOT
  )
  quoted = "a \"quoted\" } brace and $${literal}"
  brace  = "}"
}

# resource "google_container_cluster" "commented" { name = "commented" }

resource "google_container_cluster" "this" {
  project  = "acme" // trailing } comment
  name     = local.name
  location = "europe-west1" # another {

  description = <<EOF1
This one has } and { and "quotes".
EOF1

  resource_labels = {
    "a" : "b", c = "d"
  }

  maintenance_policy { recurring_window {
      start_time = "2026-01-01T00:00:00Z"
      end_time   = "2026-01-02T00:00:00Z"
      recurrence = "FREQ=DAILY" } }
}

resource "google_compute_network" "strange" {
  project = "acme"
  name    = "strange-${local.brace}-${local.quoted}"
}

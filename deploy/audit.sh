#!/bin/sh
# Collect scopes into a snapshot, scan it, and leave snapshot and reports in a folder named after the moment.
#
#   SCOPES            organizations/NUMBER, folders/NUMBER or projects/ID; several with spaces between them
#   REPORTS           folder for the results; default /reports
#   COLLECT_OPTIONS   further options of `gke-auditor collect`, such as --kubernetes-evidence
#   SCAN_OPTIONS      further options of `gke-auditor scan`, such as --waivers FILE
#   FAIL_ON_FINDINGS  `true`: exit with 1 if there are findings, and with 3 if something is not known;
#                     else only a collection or a scan that could not run fails, with 2
set -eu

: "${SCOPES:?name what to audit, e.g. SCOPES=organizations/123}"
REPORTS=${REPORTS:-/reports}
moment=$(date -u +%Y-%m-%dT%H%M%SZ)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

collected=0
# Scopes and options are lists of words.
# shellcheck disable=SC2086
gke-auditor collect $SCOPES --output "$work/snapshot.ndjson.zst" ${COLLECT_OPTIONS:-} || collected=$?
case $collected in 0 | 3) ;; *) exit "$collected" ;; esac

scanned=0
# shellcheck disable=SC2086
gke-auditor scan "$work/snapshot.ndjson.zst" \
  --output html="$work/report.html" --output sarif="$work/report.sarif" \
  --output json="$work/report.json" --output markdown="$work/report.md" \
  ${SCAN_OPTIONS:-} || scanned=$?
case $scanned in 0 | 1 | 3) ;; *) exit "$scanned" ;; esac

mkdir -p "$REPORTS/$moment"
cp "$work"/snapshot.ndjson.zst "$work"/report.* "$REPORTS/$moment/"
echo "results are in $REPORTS/$moment"

if [ "${FAIL_ON_FINDINGS:-false}" = true ]; then exit "$scanned"; fi

#!/bin/sh
# Chromium for the tests of the HTML report. Without it they skip on a user's machine and fail in CI.
set -u
command -v chromium >/dev/null && exit 0
echo "installing chromium ..."
if ! sh "$(dirname "$0")/apt-install.sh" chromium fonts-dejavu-core; then
  echo "the browser tests will be skipped: install chromium to run them" >&2
  [ -z "${CI:-}" ]
fi

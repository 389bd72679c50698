#!/bin/sh
# Installs Debian packages if that is possible here; otherwise says why it is not, and fails.
set -eu
if [ "$(id -u)" -eq 0 ]; then as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"
else echo "cannot install $*: not root, and sudo asks for a password" >&2; exit 1
fi
command -v apt-get >/dev/null || { echo "cannot install $*: there is no apt-get" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -qq update
$as_root apt-get -qq install --yes --no-install-recommends "$@" >/dev/null

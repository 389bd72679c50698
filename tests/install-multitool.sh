#!/bin/sh
# Microsoft's SARIF multitool, which knows GitHub's rules for SARIF files, into tests/node_modules.
# Without it its tests skip on a user's machine and fail in CI.
set -u
version=5.7.0
here=$(cd "$(dirname "$0")" && pwd)
package=node_modules/@microsoft/sarif-multitool-linux
give_up() {
  echo "the tests with the SARIF multitool will be skipped: $1" >&2
  [ -z "${CI:-}" ]
  exit
}
grep -qs "\"version\": \"$version\"" "$here/$package/package.json" && exit 0
[ "$(uname -sm)" = "Linux x86_64" ] || give_up "it is there for Linux on x86_64 alone"
# A user's machine is not given a Node.js for these few tests; CI is.
if ! command -v npm >/dev/null && [ -n "${CI:-}" ]; then sh "$here/apt-install.sh" npm; fi
command -v npm >/dev/null || give_up "install npm to run them"
echo "installing the SARIF multitool ..."
npm install --prefix "$here" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --silent \
  "@microsoft/sarif-multitool-linux@$version" >/dev/null || give_up "npm could not install it"
chmod u+x "$here/$package/Sarif.Multitool"

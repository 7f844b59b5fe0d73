#!/usr/bin/env bash
# Make .venv ready for one of the Makefile's jobs, from nothing but a Python and pip.
# Usage: scripts/bootstrap.sh demo|full
#   demo  what `make demo` needs: agents and reports, no simulator
#   full  what tests, docs, benchmarks and videos need
# A second run finds the stamp of the first and does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=.venv
DEMO=('.[agents,bench]')
# Gymnasium's own MuJoCo tasks are among those that the tests and examples put distractions into.
FULL=('.[all,docs,dev]' 'gymnasium[mujoco]')
KIND=${1:-}
case "$KIND" in
  demo | full) ;;
  *) echo "usage: scripts/bootstrap.sh demo|full" >&2; exit 2 ;;
esac

stop() { echo "bootstrap: $*" >&2; exit 1; }

# ---- the operating system -------------------------------------------------------------------

# Debian's and Ubuntu's package of a library; opencv-python loads the first three at import.
package_of() {
  case "$1" in
    libGL.so.1) echo libgl1 ;;
    libxcb.so.1) echo libxcb1 ;;
    libglib-2.0.so.0) echo libglib2.0-0 ;;
    libEGL.so.1) echo libegl1 ;;
    libOSMesa.so.8) echo libosmesa6 ;;
  esac
}

wanted_libraries() {
  echo libGL.so.1 libxcb.so.1 libglib-2.0.so.0
  [ "$KIND" = full ] || return 0
  case "${MUJOCO_GL:-egl}" in
    egl) echo libEGL.so.1 ;;
    osmesa) echo libOSMesa.so.8 ;;
  esac
}

missing() {  # missing PYTHON LIBRARY...: those that the dynamic linker does not find
  "$1" - "${@:2}" <<'PYTHON'
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)
PYTHON
}

apt_prefix() {  # what to put before apt-get, when we may install
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" = 0 ]; then echo env
  elif sudo -n true 2>/dev/null; then echo "sudo -n env"
  else return 1
  fi
}

install_packages() {  # install_packages WHY PACKAGE...: with apt-get, or say what to type
  local why=$1 prefix; shift
  prefix=$(apt_prefix) || stop "$why. Type:  sudo apt-get install -y $*"
  echo "bootstrap: $why; installing $*"
  $prefix DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || true
  $prefix DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null \
    || stop "$why, and apt-get could not help. Type:  sudo apt-get install -y $*"
}

check_libraries() {
  [ "$(uname -s)" = Linux ] || return 0
  local python=$1 wanted absent name packages=()
  read -ra wanted <<<"$(wanted_libraries | xargs)"
  absent=$(missing "$python" "${wanted[@]}" | xargs)
  [ -n "$absent" ] || return 0
  if [ "$absent" = libEGL.so.1 ] && [ -z "$(missing "$python" libOSMesa.so.8)" ] \
    && ! apt_prefix >/dev/null; then
    stop "libEGL.so.1 is missing, but OSMesa is here. Type:  export MUJOCO_GL=osmesa"
  fi
  for name in $absent; do packages+=("$(package_of "$name")"); done
  install_packages "system libraries are missing ($absent)" "${packages[@]}"
  absent=$(missing "$python" "${wanted[@]}" | xargs)
  [ -z "$absent" ] || stop "still missing after apt-get: $absent"
}

# ---- Python ---------------------------------------------------------------------------------

# Run it: a pyenv shim exists for every version, and fails for those that are switched off.
usable() {
  "$1" -c 'import sys; sys.exit(not (3, 10, 12) <= sys.version_info[:3] < (3, 13))' \
    >/dev/null 2>&1
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    usable "$PYTHON" || stop "PYTHON=$PYTHON does not run, or is not Python 3.10.12 to 3.12"
    echo "$PYTHON"; return
  fi
  for candidate in python3.11 python3.12 python3.10 python3 python; do
    if usable "$candidate"; then echo "$candidate"; return; fi
  done
  stop "no Python 3.10.12 to 3.12 on PATH. Type:  sudo apt-get install -y python3 python3-venv" \
    "(or name one:  make PYTHON=/path/to/python3.11)"
}

make_venv() {
  local python=$1 version
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then  # Debian packs them apart
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    install_packages "$python has no venv module" "python$version-venv"
  fi
  echo "bootstrap: making $VENV with $("$python" -V)"
  "$python" -m venv --clear "$VENV"
}

# ---- packages -------------------------------------------------------------------------------

# The path is in it: a moved checkout has a venv whose scripts point to the old place.
fingerprint() { { pwd; cat pyproject.toml constraints.txt scripts/bootstrap.sh; } | sha256sum; }

stamped() { [ "$(cat "$VENV/stamp-$KIND" 2>/dev/null)" = "$(fingerprint)" ]; }

install() {
  local what=("${DEMO[@]}")
  if [ "$KIND" = full ]; then what=("${FULL[@]}"); fi
  echo "bootstrap: installing ${what[*]} into $VENV (a few GB, some minutes)"
  local pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check
    -c constraints.txt)
  # First itself: the pip that Python 3.10 brings (23.0) needs more than 20 minutes to choose
  # versions, where a new one needs one.
  "${pip[@]}" --upgrade pip || stop "pip cannot upgrade itself: see above"
  "${pip[@]}" -e "${what[@]}" || stop "pip failed: see above"
  fingerprint > "$VENV/stamp-demo"  # full holds all that demo needs
  if [ "$KIND" = full ]; then fingerprint > "$VENV/stamp-full"; fi
}

same_version() {  # do two interpreters have the same X.Y?
  local ask='import sys; print(sys.version_info[:2])'
  [ "$("$1" -c "$ask" 2>/dev/null)" = "$("$2" -c "$ask" 2>/dev/null)" ]
}

if [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c '' 2>/dev/null; then
  # Somebody's environment: never replaced unasked.
  usable "$VENV/bin/python" \
    || stop "$VENV is $("$VENV/bin/python" -V), not 3.10.12 to 3.12. Type:  make clean"
  [ -z "${PYTHON:-}" ] || same_version "$PYTHON" "$VENV/bin/python" \
    || stop "$VENV is $("$VENV/bin/python" -V), not PYTHON=$PYTHON. Type:  make clean"
fi
if stamped && usable "$VENV/bin/python"; then
  check_libraries "$VENV/bin/python"
  exit 0
fi
if [ -f "$VENV/stamp-full" ]; then KIND=full; fi  # never leave half of it outdated
python=$(find_python)
check_libraries "$python"
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then make_venv "$python"; fi
install

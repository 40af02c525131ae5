#!/bin/sh
# Make .venv and install the pinned, hash-checked dependencies. Usage: scripts/setup.sh [requirements file]
# Works where Python has venv and pip; says in one sentence what is missing where it has not.
set -eu
cd "$(dirname "$0")/.."
requirements=${1:-requirements.txt}
stamp=.venv/.installed-$(basename "$requirements" .txt)

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "scf needs Python 3.11 or newer; none was found on the PATH." >&2
    exit 1
}

wanted=$(cat "$requirements" pyproject.toml | cksum)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
python=$(find_python)
if [ ! -x .venv/bin/python ]; then
    echo "Making a virtual environment in .venv ($("$python" --version))"
    # Debian splits ensurepip into another package: fall back to the other well-known ways to the same thing.
    "$python" -m venv .venv >/dev/null 2>&1 ||
        "$python" -m virtualenv -q .venv 2>/dev/null ||
        uv venv -q --seed --python "$python" .venv 2>/dev/null ||
        { rm -rf .venv; "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip .venv; } ||
        { rm -rf .venv; echo "This Python can make no virtual environment: install its venv or pip module (Debian: python3-venv)." >&2; exit 1; }
fi
if .venv/bin/python -m pip --version >/dev/null 2>&1; then
    pip=".venv/bin/python -m pip"
else
    pip="$python -m pip --python .venv/bin/python"
fi
echo "Installing the pinned dependencies of $requirements (once)"
$pip install -q --disable-pip-version-check --require-hashes -r "$requirements"
$pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "$wanted" >"$stamp"

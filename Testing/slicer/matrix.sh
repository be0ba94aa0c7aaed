#!/bin/sh
# The tests of the Slicer side on the MRML of several Slicers, each in an environment of its own below the folder given.
#   sh Testing/slicer/matrix.sh /tmp/matrix [version ...]
set -eu
root="$(cd "$(dirname "$0")/../.." && pwd)"
folder="$1"
shift
for version in "${@:-5.12.4.0 5.13.31053.0}"; do
  for one in $version; do
    env="$folder/slicer-core-$one"
    test -x "$env/bin/python" || python3 -m venv "$env"
    "$env/bin/python" -m pip install --quiet "torch==2.13.0"
    "$env/bin/python" -m pip install --quiet "slicer-core==$one" "PySide6-Essentials>=6.8" -e "$root[rt,test]"
    echo "slicer-core $one: $("$env/bin/python" -m pytest "$root/Testing/slicer" -p no:cacheprovider 2>&1 | tail -n 1)"
  done
done

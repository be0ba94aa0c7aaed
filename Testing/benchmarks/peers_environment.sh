#!/bin/sh
# The peers' own environment, apart from ours: .venv-peers in the project's folder (or the folder given).
# torch comes first and pinned, so that no peer chooses another. NiftyReg (reg_aladin, reg_f3d, reg_transform) and
# plastimatch are programs: the benchmark takes them from PATH and leaves them out where they are not
# (plastimatch: apt install plastimatch; NiftyReg: https://github.com/KCL-BMEIS/niftyreg, version 2.0).
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
target=${1:-$here/.venv-peers}
[ -x "$target/bin/python" ] || "${PYTHON:-python3}" -m venv "$target"
"$target/bin/pip" install --quiet "torch==2.13.0"
"$target/bin/pip" install --quiet "antspyx==0.6.3" "itk-elastix==0.25.4" "convexAdam==0.2.0" nibabel SimpleITK
"$target/bin/python" - <<'END'
from importlib.metadata import version
print(", ".join(f"{name} {version(name)}" for name in ("torch", "antspyx", "itk-elastix", "convexAdam")))
END

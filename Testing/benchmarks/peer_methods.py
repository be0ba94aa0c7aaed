"""The methods of the benchmark, and how one of them is run and measured as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
PEERS_PYTHON = Path(os.environ.get("DSIR_PEERS_PYTHON", HERE.parents[1] / ".venv-peers" / "bin" / "python"))
"""The interpreter of the peers' environment (``peers_environment.sh`` makes it)."""


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        script: beside this file.
        setting: handed to the script.
        module: what the peers' environment must be able to import ("" for ours, which runs in this environment).
        program: what must be on PATH besides.
    """

    script: str
    setting: str = "default"
    module: str = ""
    program: str = ""

    @property
    def python(self) -> str:
        """The interpreter it runs in."""
        return sys.executable if self.script == "peer_ours.py" else str(PEERS_PYTHON)

    def missing(self) -> str:
        """Why it cannot run here; empty when it can."""
        if self.program and shutil.which(self.program) is None:
            return f"{self.program} is not on PATH"
        if self.script == "peer_ours.py":
            return ""
        if not PEERS_PYTHON.is_file():
            return f"there is no {PEERS_PYTHON}; run Testing/benchmarks/peers_environment.sh"
        search = f"import importlib.util as u, sys; sys.exit(u.find_spec({self.module!r}) is None)"
        if self.module and subprocess.run([self.python, "-c", search], check=False).returncode:
            return f"{self.module} is not installed in {PEERS_PYTHON.parents[1]}"
        return ""


METHODS: dict[str, Method] = {
    "ours-mind": Method("peer_ours.py", "mind:default"),
    "ours-dsir": Method("peer_ours.py", "dsir:default"),
    "ours-mind-fast": Method("peer_ours.py", "mind:fast"),
    "ours-dsir-fast": Method("peer_ours.py", "dsir:fast"),
    "ours-mind-accurate": Method("peer_ours.py", "mind:accurate"),
    "ours-dsir-accurate": Method("peer_ours.py", "dsir:accurate"),
    "convexadam": Method("peer_convexadam.py", "default", "convexAdam"),
    "convexadam-l2r": Method("peer_convexadam.py", "l2r-mrct", "convexAdam"),
    "niftyreg": Method("peer_niftyreg.py", "default", "nibabel", "reg_f3d"),
    "ants-syn": Method("peer_ants.py", "SyNOnly", "ants"),
    "ants-synra": Method("peer_ants.py", "SyNRA", "ants"),
    "ants-synquick": Method("peer_ants.py", "antsRegistrationSyNQuick[s]", "ants"),
    "elastix": Method("peer_elastix.py", "affine+bspline", "itk"),
    "plastimatch": Method("peer_plastimatch.py", "default", "SimpleITK", "plastimatch"),
}


@dataclass(frozen=True)
class Run:
    """What a process did.

    Attributes:
        displacement: (I, J, K, 3) float32, RAS mm on the fixed grid; None where it failed.
        cpu, wall: seconds of the whole process, its children and its imports included.
        peak: MiB of resident memory of the largest process.
        error: its last words where it failed.
    """

    displacement: np.ndarray | None
    cpu: float
    wall: float
    peak: float
    error: str = ""


def run_method(
    method: Method, fixed: Path, moving: Path, folder: Path, *, threads: int = 1, further: tuple[str, ...] = ()
) -> Run:
    """Register two NIfTI files by one method, in ``folder`` (which must be empty and may be thrown away).

    ``further`` arguments go to its script.
    """
    out, log, facts = folder / "field.npy", folder / "log.txt", folder / "facts.json"
    command = [sys.executable, str(HERE / "measured.py"), str(facts)]
    command += [method.python, str(HERE / method.script), str(fixed), str(moving), str(out)]
    command += ["--setting", method.setting, "--threads", str(threads), *further]
    with open(log, "wb") as words:
        done = subprocess.run(command, stdout=words, stderr=words, cwd=folder, env=_environment(threads), check=False)
    used = json.loads(facts.read_text(encoding="utf-8")) if facts.is_file() else {"cpu": 0.0, "wall": 0.0, "peak": 0.0}
    if done.returncode or not out.is_file():
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
        return Run(None, error=f"exit code {done.returncode}: {last[0][:200]}", **used)
    return Run(np.load(out), **used)


def _environment(threads: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads)), "ANTS_RANDOM_SEED": "1"}

"""Torch and friends: looked for without importing them, asked for, never forced."""

from __future__ import annotations

import importlib
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import slicer
import slicer.util
from dsir.errors import DsirError

PACKAGES = {
    "torch": "torch",
    "nibabel": "nibabel>=5.2",
    "safetensors": "safetensors>=0.4",
    "scipy": "scipy>=1.11",
    "SimpleITK": "SimpleITK>=2.3",
    "matplotlib": "matplotlib>=3.8",
    "surface_distance": "surface-distance>=0.1",
    "threadpoolctl": "threadpoolctl>=3.1",
    "pydantic": "pydantic>=2.7",
    "pydicom": "pydicom>=3",
    "jinja2": "jinja2>=3.1",
    "shapely": "shapely>=2.0",
}
"""Import name to what pip calls it; what the engine imports."""

TORCH = ">=2.4"

KEPT = ("numpy", "SimpleITK", "vtk", "scipy")
"""Slicer's own builds: pip must never replace them."""


def missing() -> tuple[str, ...]:
    """Names of what is not installed; imports nothing."""
    return tuple(name for name in PACKAGES if find_spec(name) is None)


def install() -> bool:
    """Install what is missing; torch by the PyTorch extension, which knows the right build for this computer.

    Returns:
        whether everything is there now; False when the user declined.

    Raises:
        DsirError: torch is missing and so is the PyTorch extension.
    """
    lacking = missing()
    if "torch" in lacking:
        try:
            from PyTorchUtils import PyTorchUtilsLogic
        except ImportError:
            raise DsirError(
                "Torch is missing, and so is the extension that installs it: install 'PyTorch' in the Extensions "
                "Manager, restart Slicer, and try again."
            ) from None
        if PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=TORCH) is None:
            return False
    rest = [PACKAGES[name] for name in lacking if name != "torch"]
    if rest:
        with tempfile.TemporaryDirectory(prefix="dsir-") as folder:
            constraints = Path(folder) / "constraints.txt"
            constraints.write_text("\n".join(_kept()), encoding="utf-8")
            quoted = " ".join(f'"{package}"' for package in rest)
            slicer.util.pip_install(f'{quoted} --constraint "{constraints}"')
    importlib.invalidate_caches()
    return not missing()


def _kept() -> list[str]:
    """Slicer's own versions, as constraints for pip."""
    found = []
    for name in KEPT:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found

"""``pip install`` gives all of it: the wheel is built, installed into an empty folder, and run outside the checkout."""

import os
import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path

import numpy as np
import pytest
import torch
from dsir import __version__
from dsir.files.images import write_image
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice

pytestmark = [pytest.mark.slow, pytest.mark.models]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds; nothing is fetched, and nothing is written into the checkout."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    shutil.copytree(
        ROOT / "DSIRRegistration",
        source / "DSIRRegistration",
        ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"),
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(place), str(source)]
    subprocess.run(built, check=True, cwd=place, timeout=120)
    (wheel,) = place.glob("*.whl")
    target = place / "installed"
    subprocess.run(
        [*pip, "install", "--no-compile", "--no-deps", "--no-index", "--target", str(target), str(wheel)],
        check=True,
        cwd=place,
    )
    shutil.rmtree(source)
    return target


def run(installed: Path, folder: Path, *words: str) -> str:
    """A Python of this environment that finds ``dsir`` in the installed folder alone."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONNOUSERSITE": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_says_its_version_and_its_extras(installed: Path, tmp_path: Path) -> None:
    (folder,) = installed.glob("dsir_registration-*.dist-info")
    metadata = Parser().parsestr((folder / "METADATA").read_text(encoding="utf-8"))
    assert metadata["Version"] == __version__ and f"dsir {__version__}" in run(
        installed, tmp_path, "-m", "dsir", "--version"
    )
    extras = set(metadata.get_all("Provides-Extra"))
    (everything,) = [line for line in metadata.get_all("Requires-Dist") if 'extra == "all"' in line]
    assert all(extra in everything for extra in extras - {"all", "slicer", "test", "docs"})


def test_the_weights_are_in_it(installed: Path, tmp_path: Path) -> None:
    code = (
        "import dsir, torch; from dsir.features.descriptor import load_descriptor; "
        "from dsir.similarity.calibration import shipped; d = load_descriptor('dsir'); "
        "v = d(torch.rand(16, 16, 16)); print(dsir.__file__, len(v) == d.channels, 'dsir' in shipped())"
    )
    file, *answers = run(installed, tmp_path, "-c", code).split()
    assert Path(file).is_relative_to(installed) and answers == ["True", "True"]


def test_it_registers_and_writes_its_page(installed: Path, tmp_path: Path) -> None:
    grid = Lattice((28, 26, 24), np.diag([4.0, 4.0, 4.0, 1.0]))
    at = torch.from_numpy(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"))).float()
    middle = torch.tensor([14.0, 13.0, 12.0]).view(3, 1, 1, 1)
    for name, shift in (("fixed", 0.0), ("moving", 1.0)):
        distance = ((at - middle - torch.tensor([shift, 0, 0]).view(3, 1, 1, 1)) ** 2).sum(0).sqrt()
        write_image(tmp_path / f"{name}.nii", Image(100 * (distance < 8) + 60 * (distance < 4) + at[1], grid))
    words = [
        "register",
        "--fixed",
        "fixed.nii",
        "--moving",
        "moving.nii",
        "--preset",
        "fast",
        "--rigid",
        "--threads",
        "1",
    ]
    run(installed, tmp_path, "-m", "dsir", *words, "--out", "result")
    assert {"transform.h5", "report.json", "report.html"} <= {f.name for f in (tmp_path / "result").iterdir()}

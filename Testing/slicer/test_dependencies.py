"""Torch and friends are asked for, never forced, and nothing of Slicer's own is replaced."""

import re
import sys
import types
from importlib.metadata import version
from pathlib import Path

import pytest
import slicer.util
from dsir.errors import DsirError
from DSIRRegistrationLib import dependencies
from mrml_scene import ROOT


@pytest.fixture
def lacking(monkeypatch):
    """Pretend that these packages are not there until they are installed."""
    absent: set[str] = set()
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None if name in absent else object())
    return absent


@pytest.fixture
def pip(monkeypatch, lacking):
    """What pip is asked for, and the constraints it is given."""
    asked: list[tuple[str, str]] = []

    def install(arguments: str) -> None:
        constraints = re.search(r'--constraint "(.*?)"', arguments)[1]
        asked.append((arguments, Path(constraints).read_text(encoding="utf-8")))
        lacking.difference_update({"nibabel", "safetensors"})

    monkeypatch.setattr(slicer.util, "pip_install", install, raising=False)
    return asked


def pytorch_extension(monkeypatch, lacking, answer) -> list[dict]:
    asked: list[dict] = []

    class PyTorchUtilsLogic:
        def installTorch(self, **options):
            asked.append(options)
            if answer is not None:
                lacking.discard("torch")
            return answer

    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    return asked


def test_torch_comes_through_its_extension_and_the_rest_through_pip(monkeypatch, lacking, pip) -> None:
    lacking.update({"torch", "nibabel", "safetensors"})
    asked = pytorch_extension(monkeypatch, lacking, "torch")
    assert dependencies.install()
    assert asked == [{"askConfirmation": True, "torchVersionRequirement": ">=2.4"}]
    ((arguments, _),) = pip
    assert '"nibabel>=5.2"' in arguments and '"safetensors>=0.4"' in arguments and "torch" not in arguments


def test_slicers_own_packages_are_held_where_they_are(monkeypatch, lacking, pip) -> None:
    lacking.add("nibabel")
    dependencies.install()
    ((_, constraints),) = pip
    assert f"numpy=={version('numpy')}" in constraints and f"vtk=={version('vtk')}" in constraints


def test_who_declines_gets_nothing_installed(monkeypatch, lacking, pip) -> None:
    lacking.update({"torch", "nibabel"})
    pytorch_extension(monkeypatch, lacking, None)
    assert not dependencies.install() and pip == []


def test_without_the_pytorch_extension_it_says_what_to_do(monkeypatch, lacking) -> None:
    lacking.add("torch")
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(DsirError, match="Extensions Manager"):
        dependencies.install()


def test_the_panel_asks_for_all_that_the_engine_needs() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = set(re.findall(r'"([\w-]+)>=', text[text.index("\ndependencies") : text.index("[project.optional")]))
    asked = {re.split(">=", package)[0] for package in dependencies.PACKAGES.values()}
    bundled = {"numpy"}
    only_on_terminals = {"rich"}
    assert needed - asked == bundled | only_on_terminals

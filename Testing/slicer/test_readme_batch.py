"""The README's batch script runs as it stands, with the real engine."""

import inspect
import re
import sys

import numpy as np
import pytest
import slicer
import slicer.util
from dsir.files.transforms import read_transform
from DSIRRegistrationLib.logic import RegistrationLogic
from DSIRRegistrationLib.selftest import TutorialTest
from mrml_scene import ROOT

pytest.importorskip("PySide6.QtWidgets", reason="PySide6 (the Qt below the stand-in for PythonQt) is not installed")

import standin


def test_the_batch_script_of_the_readme_finds_the_shift(scene, tmp_path, monkeypatch, capsys) -> None:
    standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")
    scans = dict(zip(("ct.nii.gz", "mr.nii.gz"), TutorialTest().scans(), strict=True))
    saved = {}

    def save(node: slicer.vtkMRMLStorableNode, path: str) -> None:
        storage = node.CreateDefaultStorageNode()
        storage.SetFileName(path)
        assert storage.WriteData(node)
        saved[path.rsplit("/", 1)[1]] = path

    monkeypatch.setattr(slicer.util, "loadVolume", scans.__getitem__, raising=False)
    monkeypatch.setattr(slicer.util, "saveNode", save, raising=False)
    monkeypatch.setattr(slicer.util, "exit", lambda status=0: None)
    monkeypatch.setattr(sys, "argv", ["batch.py", *scans, str(tmp_path / "result")])
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (script,) = [block for block in blocks if "--python-script" in block]
    exec(compile(script, "batch.py", "exec"), {"__name__": "__main__"})
    assert set(saved) == {"transform.h5", "warped.nrrd"}
    there = read_transform(saved["transform.h5"]).transform_points(np.zeros((1, 3)))[0]
    assert np.linalg.norm(there - [6, 0, 0]) < 2.0
    assert "preset fast" in capsys.readouterr().out


def test_the_words_that_the_readme_names_beside_it_are_taken() -> None:
    (said,) = re.findall(
        r"`fixedMask=`.*?go into the same call", (ROOT / "README.md").read_text(encoding="utf-8"), re.S
    )
    named = set(re.findall(r"`(\w+)=`", said))
    assert len(named) > 5 and named <= set(inspect.signature(RegistrationLogic.register).parameters)

"""Options that mean nothing, or too much: refused in a sentence, or held within what the machine has."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dsir.cli.main import main
from dsir.cli.options import use_threads
from dsir.processors import available
from dsir.progress import silent
from dsir.registration.repeatable import repeatable
from dsir.registration.settings import RegistrationSettings


@pytest.mark.parametrize("words", [["--fixed", ""], ["--fixed="], ["--fixed", "a.nii", "--moving", " "]])
def test_an_empty_word_is_no_folder(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["register", *words, "--out", "out"]) == 2
    assert "is a variable not set?" in capsys.readouterr().err


def test_more_threads_than_processors_only_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    use_threads(9999)
    with repeatable(RegistrationSettings(threads=9999), silent):
        pass
    assert asked[:2] == [available(), available()]


def test_settings_without_an_end_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.json").write_text('{"a":' * 100_000)
    scan = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), dtype=np.float32), np.eye(4)), scan)
    words = ["register", "--fixed", str(scan), "--moving", str(scan), "--out", str(tmp_path / "out")]
    assert main([*words, "--settings", str(tmp_path / "s.json")]) == 2
    assert "is not JSON" in capsys.readouterr().err
    (tmp_path / "s.json").write_text('{"spacing": 9, "linear": {}, "spacing": 3}')
    assert main([*words, "--settings", str(tmp_path / "s.json")]) == 2
    assert "'spacing' stands twice" in capsys.readouterr().err
    (tmp_path / "s.json").write_bytes(json.dumps({"spacing": 3}).encode("utf-16"))
    assert main([*words, "--settings", str(tmp_path / "s.json")]) == 2
    assert "it is no text" in capsys.readouterr().err

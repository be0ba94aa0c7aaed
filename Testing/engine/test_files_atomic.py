"""Nothing half-written under a final name."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from dsir.errors import DsirError
from dsir.files import atomic
from dsir.files.atomic import OutputFolder, check_output_folder, complete_file
from dsir.files.images import write_image
from dsir.geometry.image import Image
from grids import lattice


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != atomic.MANIFEST)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    with complete_file(tmp_path / "a.txt") as path:
        path.write_text("whole")
        assert names(tmp_path) != ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"
    with pytest.raises(KeyboardInterrupt), complete_file(tmp_path / "a.txt") as path:
        path.write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "whole" and names(tmp_path) == ["a.txt"]


def test_a_result_folder_appears_when_it_is_complete(tmp_path):
    with OutputFolder(tmp_path / "new" / "result") as out:
        (out.path / "sub").mkdir()
        (out.path / "sub" / "a.txt").write_text("1")
        assert not (tmp_path / "new" / "result").exists()
    assert (tmp_path / "new" / "result" / "sub" / "a.txt").read_text() == "1"
    assert names(tmp_path / "new") == ["result"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_a_broken_run_leaves_the_disk_as_it_was(tmp_path, fault):
    with pytest.raises(fault), OutputFolder(tmp_path / "new" / "result") as out:
        (out.path / "a.txt").write_text("1")
        raise fault
    assert names(tmp_path) == []


def test_files_that_exist_are_not_overwritten_unasked(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "plan.txt").write_text("mine")
    with pytest.raises(DsirError, match="holds files already"), OutputFolder(tmp_path / "r"):
        pass
    with pytest.raises(DsirError, match="is a file"):
        check_output_folder(tmp_path / "r" / "plan.txt")
    assert (tmp_path / "r" / "plan.txt").read_text() == "mine"


def test_an_empty_folder_is_fine(tmp_path):
    (tmp_path / "r").mkdir()
    with OutputFolder(tmp_path / "r") as out:
        (out.path / "a").write_text("1")
    assert names(tmp_path) == ["r"] and names(tmp_path / "r") == ["a"]


def test_overwriting_replaces_an_earlier_result_and_nothing_else(tmp_path):
    with OutputFolder(tmp_path / "r") as out:
        (out.path / "warped.txt").write_text("old")
        (out.path / "labels.txt").write_text("old")
    (tmp_path / "r" / "notes.txt").write_text("the physicist's own")
    with OutputFolder(tmp_path / "r", overwrite=True) as out:
        (out.path / "warped.txt").write_text("new")
    assert names(tmp_path / "r") == ["notes.txt", "warped.txt"]  # no stale labels beside a new image
    assert (tmp_path / "r" / "warped.txt").read_text() == "new" and names(tmp_path) == ["r"]


def test_a_failed_overwrite_keeps_the_earlier_result(tmp_path, monkeypatch):
    with OutputFolder(tmp_path / "r") as out:
        (out.path / "a").write_text("old")
    monkeypatch.setattr(atomic.os, "fsync", full_disk)
    with pytest.raises(DsirError, match="the disk is full"), OutputFolder(tmp_path / "r", overwrite=True) as out:
        (out.path / "a").write_text("new")
    assert (tmp_path / "r" / "a").read_text() == "old" and names(tmp_path) == ["r"]


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    image = Image(torch.rand(4, 4, 4), lattice((4, 4, 4)))
    monkeypatch.setattr(atomic.os, "fsync", full_disk)
    for name in ("a.nii.gz", "a.mha"):
        with pytest.raises(DsirError, match="the disk is full"):
            write_image(tmp_path / name, image)
    with pytest.raises(DsirError, match="the disk is full"), OutputFolder(tmp_path / "r"):
        full_disk()
    assert names(tmp_path) == []


FULL_DISK = """
import resource, signal, sys, numpy as np, torch
from pathlib import Path
from dsir.errors import DsirError
from dsir.transforms.field import DisplacementField
from dsir.files.images import write_image
from dsir.files.displacements import write_displacement_nifti
from dsir.files.transforms import write_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
grid = Lattice((40, 40, 40), np.eye(4))
field = DisplacementField(torch.rand(3, 40, 40, 40), grid)
write = {
    "a": lambda path: write_image(path, Image(field.vectors[0], grid)),
    "t": lambda path: write_transform(path, Transform((field,))),
    "u": lambda path: write_displacement_nifti(path, field),
}
for name in sys.argv[2:]:
    try:
        write[name[0]](Path(sys.argv[1]) / name)
    except DsirError as error:
        print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="the limit that stands in for a full disk is not known there")
def test_a_disk_that_fills_while_writing_leaves_nothing(tmp_path):
    kinds = ["a.nii.gz", "a.nrrd", "a.mha", "t.h5", "t.tfm", "u.nii.gz"]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), *kinds]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # ITK's HDF5 would abort here
    lines = done.stdout.splitlines()
    assert len(lines) == len(kinds)
    for kind, line in zip(kinds, lines, strict=True):
        assert f"{kind} cannot be written" in line and "full" in line
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DsirError, match="not writable"):
            check_output_folder(tmp_path / "r")
    finally:
        tmp_path.chmod(0o700)


def test_a_missing_parent_of_a_file_is_one_sentence(tmp_path):
    with pytest.raises(DsirError, match="does not exist"), complete_file(tmp_path / "no" / "a.txt"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
def test_ctrl_c_in_a_real_process_leaves_nothing(tmp_path):
    # A job in the background of a shell is born deaf to Ctrl-C; this one listens again.
    code = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from dsir.files.atomic import OutputFolder\n"
        f"with OutputFolder({str(tmp_path / 'r')!r}) as out:\n"
        "    (out.path / 'half').write_text('x')\n    print('ready', flush=True)\n    time.sleep(30)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.wait(20)
    child.stdout.close()
    assert names(tmp_path) == []

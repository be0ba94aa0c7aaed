"""Nothing half-written under a final name."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from dsir.errors import Cancelled, DsirError, OutputError
from dsir.files import atomic
from dsir.files.atomic import complete_file
from dsir.files.images import write_image
from dsir.files.output_folder import (
    MANIFEST,
    WORK,
    OutputFolder,
    check_output_folder,
    remove_unfinished,
    rescue_folder,
    where_kept,
)
from dsir.files.work_folders import make_work_folder, release
from dsir.geometry.image import Image
from grids import lattice


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != MANIFEST)


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
        assert names(tmp_path / "new" / "result") == [out.path.name]
    assert (tmp_path / "new" / "result" / "sub" / "a.txt").read_text() == "1"
    assert names(tmp_path / "new") == ["result"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, DsirError, Cancelled, SystemExit])
def test_a_stopped_run_and_a_bad_input_leave_the_disk_as_it_was(tmp_path, fault):
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
        "from dsir.files.output_folder import OutputFolder\n"
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


# What the result folder may be: a mount point, a link, the folder one stands in, and what may happen at its end.


def write(folder: Path, text: str = "new", *, overwrite: bool = False) -> None:
    with OutputFolder(folder, overwrite=overwrite) as out:
        for name in ("a.txt", "report.json"):
            (out.path / name).write_text(text)


def test_a_mount_point_is_filled_in_place(tmp_path, monkeypatch):
    volume = tmp_path / "volume"
    (volume / "lost+found").mkdir(parents=True)  # as a fresh volume has it
    rename, replace = os.rename, os.replace

    def busy(source, destination, **how):
        if {Path(source), Path(destination)} & {volume}:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if (volume in Path(source).parents) != (volume in Path(destination).parents):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        (replace if how.pop("over", False) else rename)(source, destination)

    monkeypatch.setattr(os, "rename", busy)
    monkeypatch.setattr(os, "replace", lambda a, b: busy(a, b, over=True))
    write(volume)
    write(volume, "newer", overwrite=True)
    assert names(volume) == ["a.txt", "lost+found", "report.json"] and (volume / "a.txt").read_text() == "newer"


def test_a_link_stays_a_link_and_the_folder_it_leads_to_is_filled(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    (tmp_path / "new").symlink_to(tmp_path / "not made yet")
    for name in ("link", "new"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink() and names(tmp_path / name) == ["a.txt", "report.json"]
    (tmp_path / "data").write_text("old")
    (tmp_path / "file.txt").symlink_to(tmp_path / "data")
    with complete_file(tmp_path / "file.txt") as path:
        assert path.suffix == ".txt"
        path.write_text("through the link")
    assert (tmp_path / "file.txt").is_symlink() and (tmp_path / "data").read_text() == "through the link"


def test_the_folder_one_stands_in_stays_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_text("mine")
    before = tmp_path.stat().st_ino
    write(Path("."), overwrite=True)
    assert tmp_path.stat().st_ino == before and Path("a.txt").read_text() == "new" and Path("notes").exists()


def test_the_report_comes_last_and_goes_first(tmp_path, monkeypatch):
    write(tmp_path / "r", "old")
    seen, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append(Path(a).name), replace(a, b)))
    write(tmp_path / "r", "new", overwrite=True)
    assert seen[0] == "report.json" and seen[-1] == "report.json" and seen.count("report.json") == 2


def test_where_publishing_fails_the_old_result_comes_back_and_the_new_one_is_kept(tmp_path):
    write(tmp_path / "r", "old")
    (tmp_path / "r" / "b.txt").mkdir()
    (tmp_path / "r" / "b.txt" / "mine").write_text("x")
    (tmp_path / "r" / ".dsir-files").write_text("a.txt\nreport.json\n../../escape\n/etc/passwd\n")
    target = tmp_path / "r"
    with pytest.raises(OutputError) as caught, OutputFolder(target, overwrite=True) as out:
        (out.path / "a.txt").write_text("new")
        (out.path / "b.txt").mkdir()
        (out.path / "b.txt" / "mine").mkdir()
        (out.path / "b.txt" / "mine" / "deep").write_text("new")
    assert (target / "a.txt").read_text() == "old" and (target / "report.json").read_text() == "old"
    kept = caught.value.kept
    assert kept.parent == target and (kept / "a.txt").read_text() == "new" and "lies in" in where_kept(caught.value)
    assert names(target) == ["a.txt", "b.txt", "report.json", kept.name]


@pytest.mark.parametrize("fault", [RuntimeError, MemoryError, OSError(errno.ENOSPC, "No space left on device")])
def test_what_is_there_when_it_breaks_late_is_kept(tmp_path, fault):
    with pytest.raises(Exception) as caught, OutputFolder(tmp_path / "r") as out:
        (out.path / "transform.h5").write_text("ten minutes of work")
        raise fault
    assert (caught.value.kept / "transform.h5").read_text() == "ten minutes of work"
    write(tmp_path / "r", overwrite=True)
    assert caught.value.kept.is_dir()  # and the next run leaves it alone


def test_a_result_that_has_no_place_any_more_goes_to_the_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OutputError, match="gone") as caught, rescue_folder(OutputError("It is gone.")) as folder:
        (folder / "a").write_text("saved")
    assert (caught.value.kept / "a").read_text() == "saved"
    with pytest.raises(OutputError, match="gone") as caught, rescue_folder(OutputError("It is gone.")) as folder:
        full_disk()
    assert not hasattr(caught.value, "kept")


def test_a_result_that_goes_there_leaves_no_empty_folder_and_names_the_file_where_it_was_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OutputError) as failed, OutputFolder(tmp_path / "new" / "r") as out:
        (out.path / "transform.h5").write_text("ten minutes of work")
        raise OutputError(f"{out.path / 'warped.nii.gz'} cannot be written: the disk is full.")
    assert str(failed.value) == f"{tmp_path / 'new' / 'r' / 'warped.nii.gz'} cannot be written: the disk is full."
    with pytest.raises(OutputError), rescue_folder(failed.value) as folder:
        (folder / "a").write_text("saved")
    assert not (tmp_path / "new").exists()


def test_what_killed_runs_left_goes_and_what_runs_stays(tmp_path):
    code = (
        "import os, signal, sys\nfrom dsir.files.output_folder import OutputFolder\n"
        "from dsir.files.atomic import complete_file\nfrom pathlib import Path\nt = Path(sys.argv[1])\n"
        "with OutputFolder(t / 'r') as out, complete_file(t / 'f.txt') as path:\n"
        "    (out.path / 'half').write_text('x')\n    path.write_text('x')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (tmp_path / ".r.abcd1234.part").mkdir()  # of a version that wrote beside the target
    (tmp_path / ".other.abcd1234.part").mkdir()
    assert len(names(tmp_path / "r")) == 1 and len(names(tmp_path)) == 4
    with OutputFolder(tmp_path / "r") as living:  # needs no permission to overwrite: nothing is there
        (living.path / "half").write_text("x")
        release(make_work_folder(tmp_path / "r", WORK))
        assert (living.path / "half").is_file()
    with complete_file(tmp_path / "f.txt") as path:
        path.write_text("whole")
    assert names(tmp_path / "r") == ["half"]
    assert names(tmp_path) == [".other.abcd1234.part", "f.txt", "r"]


def test_a_folder_that_somebody_else_filled_in_the_meantime_is_left_alone(tmp_path):
    with pytest.raises(OutputError, match="somebody else") as caught, OutputFolder(tmp_path / "r") as out:
        (out.path / "a.txt").write_text("ours")
        (tmp_path / "r" / "a.txt").write_text("theirs")
    assert (tmp_path / "r" / "a.txt").read_text() == "theirs" and (caught.value.kept / "a.txt").read_text() == "ours"


def test_devices_are_no_places_for_files(tmp_path):
    for path in ("/dev/full", "/dev/null"):
        if Path(path).exists():
            with pytest.raises(DsirError, match="a device or a pipe"), complete_file(path):
                pass
    (tmp_path / "file").write_text("x")
    for name in ("file", "file/below"):
        with pytest.raises(OutputError, match="is a file"):
            check_output_folder(tmp_path / name)


def test_what_a_killed_run_left_can_be_removed_without_another_run(tmp_path):
    (tmp_path / "a" / ".dsir.99999999-x.part" / "half").mkdir(parents=True)
    (tmp_path / "b" / ".dsir.99999999-x.part").mkdir(parents=True)
    (tmp_path / "b" / "report.json").write_text("{}")
    (tmp_path / ".a.x1y2.part").mkdir()
    for name in ("a", "b", "never"):
        remove_unfinished(tmp_path / name)
    assert names(tmp_path) == ["b"] and names(tmp_path / "b") == ["report.json"]

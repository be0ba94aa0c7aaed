"""The floors of the house do not mix: the engine knows no door, and each door only what lies below it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "DSIRRegistration"
ENGINE = ROOT / "dsir"
SCREENS = {"slicer", "vtk", "vtkmodules", "qt", "ctk", "PythonQt", "PySide6", "trame", "trame_slicer", "mrml"}
DOORS = {"DSIRRegistrationLib", "DSIRRegistration"}


@cache
def imported(file: Path) -> frozenset[str]:
    """Full names of everything a file imports, wherever in it; relative ones resolved below ``dsir``."""
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *(node.module.split(".") if node.module else ())))
            found.update((stem, *(f"{stem}.{alias.name}" for alias in node.names)))
    return frozenset(found)


def first_names(file: Path) -> set[str]:
    """The packages that it imports from."""
    return {name.split(".")[0] for name in imported(file)}


def files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.py"))


def test_the_engine_imports_no_screen_and_no_door() -> None:
    assert not [file for file in files_below(ENGINE) if first_names(file) & (SCREENS | DOORS)]


def test_nothing_in_the_engine_stands_on_the_command_line() -> None:
    below = [file for file in files_below(ENGINE) if file.parts[-2] != "cli" and file.name != "__main__.py"]
    assert not [file for file in below if any(name.startswith("dsir.cli") for name in imported(file))]


def test_the_slicer_side_does_not_stand_on_the_modules_face() -> None:
    doors = files_below(ROOT / "DSIRRegistrationLib")
    assert len(doors) > 50 and not [file for file in doors if "DSIRRegistration" in first_names(file)]


def test_the_rule_would_see_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "dsir" / "room" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text("def f():\n    import vtk.util\n    from ..cli.main import main\n    from .. import cli\n")
    assert {"vtk.util", "dsir.cli.main", "dsir.cli"} <= imported(file)

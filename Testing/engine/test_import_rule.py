"""The floors of the house do not mix: the engine knows no door, and each door only what lies below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "DSIRRegistration"
ENGINE = ROOT / "dsir"
SCREENS = {"slicer", "vtk", "vtkmodules", "qt", "ctk", "PythonQt", "PySide6", "trame", "trame_slicer", "mrml"}
DOORS = {"DSIRRegistrationLib", "DSIRRegistration"}


def imported(file: Path) -> Iterator[str]:
    """Full names of everything a file imports, wherever in it; relative ones resolved below ``dsir``."""
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *(node.module.split(".") if node.module else ())))
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.py"))


@pytest.mark.parametrize("file", files_below(ENGINE), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_engine_imports_no_screen_and_no_door(file: Path) -> None:
    first = {name.split(".")[0] for name in imported(file)}
    assert not first & (SCREENS | DOORS)


@pytest.mark.parametrize(
    "file",
    [file for file in files_below(ENGINE) if file.parts[-2] != "cli" and file.name != "__main__.py"],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_nothing_in_the_engine_stands_on_the_command_line(file: Path) -> None:
    assert not any(name.startswith("dsir.cli") for name in imported(file))


@pytest.mark.parametrize(
    "file", files_below(ROOT / "DSIRRegistrationLib"), ids=lambda file: str(file.relative_to(ROOT))
)
def test_the_slicer_side_does_not_stand_on_the_modules_face(file: Path) -> None:
    assert "DSIRRegistration" not in {name.split(".")[0] for name in imported(file)}


def test_the_rule_would_see_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "dsir" / "room" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text("def f():\n    import vtk.util\n    from ..cli.main import main\n    from .. import cli\n")
    assert {"vtk.util", "dsir.cli.main", "dsir.cli"} <= set(imported(file))

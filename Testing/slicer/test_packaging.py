"""What the Extensions Manager gets: every file, and a panel file without loose ends."""

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "DSIRRegistration"
UI = MODULE / "Resources" / "UI" / "DSIRRegistration.ui"


def on_disk() -> set[str]:
    files = [
        MODULE / "DSIRRegistration.py",
        *(MODULE / "dsir").rglob("*"),
        *(MODULE / "DSIRRegistrationLib").rglob("*"),
    ]
    files += (MODULE / "Resources").rglob("*")
    kept = (f for f in files if f.is_file() and f.suffix not in (".pyc", ".partial"))
    return {f.relative_to(MODULE).as_posix() for f in kept}


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_every_file_of_the_module_is_installed() -> None:
    done = subprocess.run(["cmake", "-P", "files.cmake"], cwd=MODULE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    listed = {line.removeprefix("-- ") for line in done.stdout.splitlines()}
    assert {file for file in listed if not (MODULE / file).is_file()} == set()
    assert on_disk() - listed == set()


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_cmake_files_are_good_cmake(tmp_path) -> None:
    """Configured against a Slicer that is made of empty macros."""
    (tmp_path / "SlicerConfig.cmake").write_text("set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/use.cmake)\n")
    (tmp_path / "use.cmake").write_text(
        'macro(slicerMacroBuildScriptedModule)\nmessage(STATUS "module ${ARGV}")\nendmacro()\n'
        "set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/empty.cmake)\n"
        "set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/empty.cmake)\n"
    )
    (tmp_path / "empty.cmake").touch()
    done = subprocess.run(
        ["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build"), f"-DSlicer_DIR={tmp_path}", "-Wno-dev"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "No CMAKE_C" in done.stderr:
        pytest.skip("no compiler for cmake to look at")
    assert done.returncode == 0, done.stderr
    assert "module NAME;DSIRRegistration;SCRIPTS" in done.stdout.replace("module NAME DSIR", "module NAME;DSIR")


def test_every_selector_of_the_panel_is_told_of_the_scene() -> None:
    tree = ElementTree.parse(UI).getroot()
    names = {w.get("name"): w.get("class") for w in tree.iter("widget")}
    told = {c.findtext("receiver") for c in tree.iter("connection") if "mrmlSceneChanged" in c.findtext("signal")}
    assert {name for name, kind in names.items() if kind.endswith("NodeComboBox")} == told
    assert {c.findtext("sender") for c in tree.iter("connection")} == {tree.findtext("class")} <= set(names)


def test_every_setting_of_the_panel_has_a_tooltip_and_a_parameter() -> None:
    tree = ElementTree.parse(UI).getroot()
    source = (MODULE / "DSIRRegistrationLib" / "parameters.py").read_text()
    for widget in tree.iter("widget"):
        properties = {p.get("name"): "".join(p.itertext()).strip() for p in widget.findall("property")}
        if "SlicerParameterName" in properties:
            assert f"    {properties['SlicerParameterName']}:" in source, widget.get("name")
            assert len(properties.get("toolTip", "")) > 10, widget.get("name")


def test_custom_widgets_are_declared() -> None:
    tree = ElementTree.parse(UI).getroot()
    declared = {c.findtext("class") for c in tree.iter("customwidget")}
    used = {w.get("class") for w in tree.iter("widget") if w.get("class").startswith(("qMRML", "ctk"))}
    assert used == declared

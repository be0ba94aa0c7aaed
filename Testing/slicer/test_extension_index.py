"""The index of Slicer's extensions takes us: its rules, as far as they can be looked at without a network.

Where ``DSIR_EXTENSIONS_INDEX`` names a checkout of Slicer/ExtensionsIndex, its own check (``scripts/``
``check_description_files.py``) runs over this repository too, with what it would download served from here;
``DSIR_SLICER_SCHEMAS`` names the folder ``Schemas`` of Slicer's sources for that.
"""

import importlib.util
import json
import os
import re
import struct
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "DSIRRegistration.json"
RAW = "https://raw.githubusercontent.com/DSIRRegistration/SlicerDSIRRegistration/main/"

REQUIRED = {"$schema", "category", "scm_url"}
KEYS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
"""Of the entry's schema, version 1.0.1; others are refused."""

CATEGORIES = {"Registration", "Radiotherapy"}
"""Those of the index's list that could be ours."""


def entry() -> dict:
    return json.loads(ENTRY.read_text())


def cmake() -> dict[str, str]:
    """The extension's CMake variables, found as the index finds them."""
    text = (ROOT / "CMakeLists.txt").read_text()
    return dict(re.findall(r'set\s*\(EXTENSION_(\w+)\s*"?([^")]+)"?\s*\)', text))


def png(path: Path) -> tuple[int, int]:
    """Width and height."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", content[16:24])


def test_the_entry_fits_its_schema() -> None:
    found = entry()
    assert set(found) >= REQUIRED and set(found) <= set(KEYS)
    assert all(isinstance(value, KEYS[key]) for key, value in found.items())
    assert re.search(r"/slicer-extension-catalog-entry-schema-v1\.0\.\d\.json#$", found["$schema"])
    assert found["tier"] in (1, 3, 5) and all(isinstance(name, str) for name in found["build_dependencies"])


def test_the_repository_is_called_slicer_and_the_extension() -> None:
    found, project = entry(), re.search(r"project\((\w+)\)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert project == ENTRY.stem
    assert found["scm_url"] == f"https://github.com/DSIRRegistration/Slicer{project}.git"
    assert found["category"] in CATEGORIES


def test_the_entry_and_cmake_say_the_same() -> None:
    found, said = entry(), cmake()
    assert found["category"] == said["CATEGORY"] and " ".join(found["build_dependencies"]) == said["DEPENDS"]
    assert str(found["tier"]) == said["TIER"] and f"{said['HOMEPAGE']}.git" == found["scm_url"]
    assert said["CONTRIBUTORS"] and 40 < len(said["DESCRIPTION"]) < 300


def test_the_entry_for_older_slicers_says_the_same_too() -> None:
    lines = (ROOT / "DSIRRegistration.s4ext").read_text().splitlines()
    old = dict(line.split(None, 1) for line in lines if line and not line.startswith("#") and len(line.split()) > 1)
    new, said = entry(), cmake()
    assert old["scmurl"] == new["scm_url"] and old["category"] == new["category"] == said["CATEGORY"]
    assert old["depends"] == " ".join(new["build_dependencies"]) == said["DEPENDS"]
    assert old["description"] == said["DESCRIPTION"] and old["homepage"] == said["HOMEPAGE"]
    assert old["iconurl"] == said["ICONURL"] and old["screenshoturls"] == said["SCREENSHOTURLS"]


@pytest.mark.parametrize("key", ["ICONURL", "SCREENSHOTURLS"])
def test_the_pictures_the_index_shows_are_in_the_repository(key) -> None:
    urls = cmake()[key].split()
    assert urls
    for url in urls:
        assert url.startswith(RAW)
        png(ROOT / url.removeprefix(RAW))


@pytest.mark.parametrize(
    "icon", ["DSIRRegistration/Resources/Icons/DSIRRegistration.png", "Resources/DSIRRegistration.png"]
)
def test_icons_are_128_square(icon) -> None:
    assert png(ROOT / icon) == (128, 128)


def test_there_is_a_licence() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_homepage_has_what_the_index_asks_of_it() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.startswith("# DSIR Registration\n") and "3D Slicer" in text[:400]
    assert "](Resources/Screenshots/" in text and "Docs/tutorial.md" in text
    assert "CVPR" in text and "Apache-2.0" in text
    tutorial = (ROOT / "Docs" / "tutorial.md").read_text()
    assert "CTMRBrain" in tutorial and len(re.findall(r"^## \d+\. ", tutorial, re.MULTILINE)) == 10
    for picture in re.findall(r"\]\((\.\./Resources/[^)]+)\)", tutorial):
        png(ROOT / "Docs" / picture)


@pytest.mark.skipif(not os.environ.get("DSIR_EXTENSIONS_INDEX"), reason="DSIR_EXTENSIONS_INDEX names no checkout")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="the script is written for Python 3.12")
def test_the_indexs_own_script_finds_nothing(monkeypatch) -> None:
    script = Path(os.environ["DSIR_EXTENSIONS_INDEX"]) / "scripts" / "check_description_files.py"
    spec = importlib.util.spec_from_file_location("check_description_files", script)
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    schemas = Path(os.environ.get("DSIR_SLICER_SCHEMAS", "."))

    class Answer:
        """What would come from the network."""

        def __init__(self, url: str) -> None:
            self.path = ROOT / url.removeprefix(RAW) if url.startswith(RAW) else schemas / url.rsplit("/", 1)[1]
            self.headers = {"Content-Type": "image/png" if self.path.suffix == ".png" else "application/json"}

        def raise_for_status(self) -> None:
            assert self.path.is_file(), self.path

        def json(self) -> dict:
            return json.loads(self.path.read_text())

    monkeypatch.setattr(checks.requests, "get", lambda url, **_: Answer(url))
    found, name = entry(), ENTRY.stem
    if schemas != Path("."):
        checks.check_json_schema(name, found)
    checks.check_category(name, found)
    checks.check_git_repository_name(name, found)
    checks.check_scm_url_syntax(name, found)
    checks.check_cmakelists_content(name, found, cloned_repository_folder=str(ROOT))
    checks.check_license_file(name, found, str(ROOT))

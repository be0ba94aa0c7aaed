"""Every link of a page leads somewhere, every figure's page says when, and the version stands in one place."""

import re
from pathlib import Path

import pytest
from dsir import __version__

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("Docs/**/*.md"), ROOT / "DSIRRegistration" / "dsir" / "models" / "README.md"]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
NAMED = re.compile(r"\bDocs/[\w/]+\.(?:md|ipynb)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()
    ]
    assert missing == []


def test_pages_that_the_code_names_are_there() -> None:
    files = [*ROOT.glob("DSIRRegistration/**/*.py"), *ROOT.glob("Testing/**/*.py"), *PAGES]
    named = {name for file in files for name in NAMED.findall(file.read_text(encoding="utf-8"))}
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", [*(ROOT / "Docs" / "measurements").glob("*.md")], ids=lambda p: p.name)
def test_a_measurement_says_its_command_and_when(page: Path) -> None:
    head = page.read_text(encoding="utf-8")[:1500]
    assert re.search(r"Testing/(benchmarks|slicer)/", head) and re.search(r"Last run: 20\d\d-\d\d-\d\d", head)


WIDEST = 120


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_lines_of_prose_fit_an_editor(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    wide = [line for line in text.splitlines() if len(line) > WIDEST and not line.startswith(("|", "!["))]
    assert wide == []


def test_the_version_stands_in_one_place() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project and not re.search(r"^version = \"", project, re.MULTILINE)
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__.split('.dev')[0]}" in (ROOT / "CHANGELOG.md").read_text().replace("[", "").replace("]", "")

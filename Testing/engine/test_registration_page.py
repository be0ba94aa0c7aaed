"""``report.html``: the verdict first, figures in words, pictures inside, nothing that leads outside."""

from __future__ import annotations

import re
from pathlib import Path

import dsir
import numpy as np
import pytest
import torch
from dicom_made import make_series
from dsir.cli.command import spoken
from dsir.cli.main import main
from dsir.geometry.lattice import Lattice
from dsir.messages import Message
from dsir.registration.presets import preset
from dsir.reports.registration.facts import facts_of, warnings_beside_verdict
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import determinant
from dsir.workflow.result import sizes
from phantoms import COARSE, dark_on_bright, render

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rigid registration of two DICOM series with a name that must not get out."""
    root = tmp_path_factory.mktemp("page")
    for name in ("fixed", "moving"):
        make_series(root / "Meyer^Anna" / name, COARSE)
    where = root / "Meyer^Anna"
    code = main(
        ["register", "--fixed", str(where / "fixed"), "--moving", str(where / "moving"), "-o", str(root / "out"),
         "--preset", "fast", "--set", "spacing=6", "--rigid", "--quiet"]
    )  # fmt: skip
    assert code == 0
    return root / "out"


def test_the_page_is_one_file_that_asks_for_nothing(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 2 and "data:image/png;base64," in page
    assert "<script" not in page and not re.search(r"(src|href)=\"(?!data:)", page)


def test_it_says_verdict_figures_series_and_command_and_no_name(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert re.search(r'class="verdict (pass|check|fail)"', page)
    assert page.index('class="verdict') < page.index("Before and after")
    for words in ("Shift", "Turn", "Volume change", "Folded voxels", "CT ", "dsir register --fixed fixed --moving"):
        assert words in page
    report = (folder / "report.json").read_text(encoding="utf-8")
    for secret in ("Meyer", "ID-4711", "1.2.826"):
        assert secret not in page and secret not in report


def test_no_line_ends_between_a_number_and_its_unit(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert re.search(r"\d\N{NO-BREAK SPACE}mm<", page) and not re.search(r">[^<]*\d mm[^<]*</td>", page)


def test_an_identical_pair_has_no_scale_and_no_minus_nought(folder: Path) -> None:
    import json

    facts = {fact.name: fact.value for fact in facts_of(json.loads((folder / "report.json").read_text()))}
    assert facts["Scale"] == "0.0 %" and facts["Folded voxels"] == "0"
    assert facts["Displacement"].startswith("mean 0.0")


def test_what_a_file_is_called_cannot_break_the_page(tmp_path: Path) -> None:
    image = render(COARSE, dark_on_bright)
    for name in ("<b>a&b", "moving"):
        (tmp_path / f"{name}.nii.gz").write_bytes(b"")
        from dsir.files.images import write_image

        write_image(tmp_path / f"{name}.nii.gz", image)
    words = ["register", "--fixed", str(tmp_path / "<b>a&b.nii.gz"), "--moving", str(tmp_path / "moving.nii.gz")]
    words += ["-o", str(tmp_path / "out"), "--preset", "fast", "--set", "spacing=6", "--model", "none", "--quiet"]
    assert main(words) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;a&amp;b.nii.gz" in page and "<b>a&b" not in page


def test_a_command_line_is_told_without_folders() -> None:
    assert spoken(["register", "--out=/a/b/c", "../x/y.nii", "--set", "spacing=3"]) == (
        "dsir register --out=c y.nii --set spacing=3"
    )


def test_the_page_of_a_deformed_result_says_how_far_tissue_went(tmp_path: Path) -> None:
    fixed = render(COARSE, dark_on_bright)
    shift = np.array([6.0, -4.0, 5.0])
    moving = render(COARSE, dark_on_bright, lambda points: np.broadcast_to(-shift, points.shape))
    result = dsir.register(fixed, moving, settings=preset("fast", spacing=6.0), model="translation")
    report = result.save(tmp_path / "out")
    assert report["displacement_mm"]["mean"] == pytest.approx(np.linalg.norm(shift), abs=0.5)
    assert report["jacobian"]["p1"] == pytest.approx(1.0, abs=1e-3)


def test_the_strongest_volume_change_is_said_with_its_place(tmp_path: Path) -> None:
    lattice = Lattice((40, 40, 40), np.diag([-2.0, -2.0, 2.0, 1.0]))
    points = lattice.to_world(np.stack(np.meshgrid(*(np.arange(40),) * 3, indexing="ij"), -1))
    centre = np.array([-30.0, -40.0, 50.0])
    away = points - centre
    bump = -0.4 * away * np.exp(-(away**2).sum(-1, keepdims=True) / (2 * 8.0**2))  # det J = 0.6 ** 3 at the centre
    field = DisplacementField(torch.as_tensor(np.moveaxis(bump, -1, 0), dtype=torch.float32), lattice)
    measured = sizes(field, determinant(field), torch.ones(40, 40, 40, dtype=torch.bool))
    assert np.linalg.norm(np.array(measured["jacobian"]["smallest_at"]) - centre) < 2.0
    assert measured["jacobian"]["smallest"] == pytest.approx(0.6**3, abs=0.02)
    (fact,) = (fact for fact in facts_of(measured) if fact.key == "extremes")
    assert re.match(r"×0\.2\d at L 30 P 40 S 50, ×1\.\d\d at .* mm$", fact.value)


def test_a_warning_that_the_verdict_says_already_is_not_said_again() -> None:
    outside, other = Message("outside_field_of_view", percent=34.0), "Something else."
    reasons = [{"code": "little_overlap", "level": "CHECK", "text": "Only 66 %."}]
    report = {"warnings": [outside, other], "verdict": {"level": "CHECK", "reasons": reasons}}
    assert warnings_beside_verdict(report) == [other]
    assert warnings_beside_verdict({**report, "verdict": {"level": "PASS", "reasons": []}}) == [outside, other]
    assert warnings_beside_verdict({"warnings": [outside]}) == [outside]

"""The verdict on a registration: right results pass, spoiled ones do not, and two persons are not one."""

from __future__ import annotations

from pathlib import Path

import dicom_made
import dsir
import numpy as np
import pydicom
import pytest
import torch
from dsir.cli.main import main
from dsir.evaluation.deformation import DeformationSettings, random_deformation
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, sample
from dsir.registration.evidence import Evidence, Judge, Pulled, kept
from dsir.registration.findings import Finding, verdict_of, with_findings
from dsir.registration.places_near import against_places_near
from dsir.registration.prepared_image import PreparedImage
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.registration.verdict import judged_by_known, judged_by_size
from dsir.registration.verdict_images import judged_by_images
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField, moved_index
from dsir.transforms.linear import Linear

pytestmark = pytest.mark.slow

GRID = Lattice((48, 52, 44), np.diag([3.0, 3.0, 3.0, 1.0]))
IDENTITY = (
    "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
    "Parameters: 1 0 0 0 1 0 0 0 1 0 0 0\nFixedParameters: 0 0 0\n"
)
SMALL = Lattice((10, 9, 5), np.diag([-2.0, -2.0, 3.0, 1.0]))


def anatomy(seed: int) -> torch.Tensor:
    """An ellipsoid of soft lumps, 0 outside."""
    generator = torch.Generator().manual_seed(seed)
    lumps = gaussian_blur(torch.randn(1, *GRID.shape, generator=generator), 2.5)[0]
    axes = [torch.linspace(-1.15, 1.15, n) for n in GRID.shape]
    inside = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2 < 1
    return torch.where(inside, 500 + 250 * lumps / lumps.std(), 0.0).clamp(min=0)


def shift(*mm: float) -> Transform:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return Transform((Linear(matrix),))


@pytest.fixture(scope="module")
def pair() -> tuple[Image, Image]:
    """One anatomy in two contrasts."""
    values = anatomy(1)
    other = torch.where(values > 0, 900 - 0.8 * values + 60 * torch.sin(values / 90), 0.0)
    return Image(values, GRID), Image(other, GRID)


def seen(
    fixed: Image, moving: Image, begin: Transform, end: Transform, *, same_person: bool | None = None
) -> list[Finding]:
    masks = body_mask(fixed), body_mask(moving)
    return judged_by_images(fixed, moving, masks, begin, end, same_person=same_person)


def level(
    fixed: Image, moving: Image, begin: Transform, end: Transform, *, same_person: bool | None = None
) -> tuple[str, set[str]]:
    found = seen(fixed, moving, begin, end, same_person=same_person)
    return verdict_of(found)["level"], {f.code for f in found}


def test_the_right_place_passes_from_near_and_far(pair: tuple[Image, Image]) -> None:
    assert level(*pair, shift(0, 0, 0), shift(0, 0, 0)) == ("PASS", set())
    assert level(*pair, shift(25, 0, 10), shift(0, 0, 0)) == ("PASS", set())


def test_leaving_the_right_place_fails_whatever_the_similarity_says(pair: tuple[Image, Image]) -> None:
    found, codes = level(*pair, shift(0, 0, 0), shift(20, 0, 0))
    assert found == "FAIL" and "worse_than_start" in codes


def test_a_wrong_place_is_no_peak(pair: tuple[Image, Image]) -> None:
    assert level(*pair, shift(30, 10, 0), shift(24, 18, 0))[0] == "FAIL"


@pytest.mark.parametrize(("mm", "expected"), [(1.0, ("PASS", set())), (4.0, ("CHECK", {"better_nearby"}))])
def test_a_start_that_is_kept_a_few_mm_off_is_looked_at(
    pair: tuple[Image, Image], mm: float, expected: tuple[str, set[str]]
) -> None:
    off = shift(0.6 * mm, -0.8 * mm, 0)
    assert level(*pair, off, off) == expected


def pulled_aside(mm: float) -> Transform:
    """The left third of the body, fading towards its middle."""
    there = torch.linspace(1.5, -1.5, GRID.shape[0]).clamp(0, 1)[:, None, None].expand(GRID.shape)
    return Transform((DisplacementField(torch.stack([0 * there, mm * there, 0 * there]), GRID),))


def plane(row: int) -> np.ndarray:
    """RAS points of one sagittal plane."""
    return GRID.to_world(np.stack(np.meshgrid([row], range(52), range(44), indexing="ij"), -1).reshape(-1, 3))


def test_a_part_that_lies_wrong_is_looked_at_though_the_whole_lies_right(pair: tuple[Image, Image]) -> None:
    assert level(*pair, Transform(), pulled_aside(1.0)) == ("PASS", set())
    found, codes = level(*pair, Transform(), pulled_aside(7.0))
    assert found != "PASS" and "better_in_parts" in codes
    assert "better_in_parts" not in level(*pair, Transform(), pulled_aside(7.0), same_person=False)[1]  # they differ


def test_which_parts_lie_wrong_is_kept(pair: tuple[Image, Image]) -> None:
    (found,) = (f for f in seen(*pair, Transform(), pulled_aside(7.0)) if f.code == "better_in_parts")
    assert found.places is not None and "shifted by 3 mm" in found.places.words
    assert found.places.reach(plane(8)) and not found.places.reach(plane(40))


def test_where_most_parts_lie_wrong_none_is_vouched_for(pair: tuple[Image, Image]) -> None:
    apart = torch.linspace(4, -4, GRID.shape[0]).tanh()[:, None, None].expand(GRID.shape)  # the halves, each its way
    torn = Transform((DisplacementField(torch.stack([0 * apart, 6 * apart, 0 * apart]), GRID),))
    found = [f for f in seen(*pair, Transform(), torn) if f.code == "better_in_parts"]
    assert [f.places for f in found] == [None]


def test_the_moving_scan_is_pulled_once_through_each_shift(
    pair: tuple[Image, Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed, moving = (PreparedImage.of(image, body_mask(image), 2.0) for image in pair)
    judge = Judge.on(pair[0].lattice, fixed, moving)
    pulled: list[Transform] = []
    read = PreparedImage.on

    def counted(image: PreparedImage, lattice: Lattice, pose: Transform) -> Pulled:
        pulled.append(pose)
        return read(image, lattice, pose)

    monkeypatch.setattr(PreparedImage, "on", counted)
    assert against_places_near(judge, Transform()) == []
    assert len(pulled) == 7  # the result, and six shifts of it


def test_two_anatomies_and_noise_do_not_pass(pair: tuple[Image, Image]) -> None:
    for other in (anatomy(7), torch.randn(GRID.shape, generator=torch.Generator().manual_seed(3)) * 50 + 400):
        assert level(pair[0], Image(other, GRID), Transform(), Transform())[0] != "PASS"


def test_a_mirrored_scan_fails_however_well_it_lies(pair: tuple[Image, Image]) -> None:
    """The outline is symmetric, and where the lumps are pulled aside half of the peak is there: only sides tell."""
    fixed, moving = pair
    found, codes = level(fixed, Image(moving.data.flip(0), GRID), Transform(), Transform())
    assert found == "FAIL" and "mirrored" in codes


def symmetric(image: Image) -> Image:
    return Image((image.data + image.data.flip(0)) / 2, GRID)


def test_where_both_sides_look_alike_one_has_to_look_unless_they_are_two_persons(pair: tuple[Image, Image]) -> None:
    fixed, moving = pair[0], symmetric(pair[1])  # either side of it may be the fixed scan's left
    assert level(fixed, moving, Transform(), Transform()) == ("CHECK", {"sides_unsure"})
    assert level(fixed, moving, Transform(), Transform(), same_person=False) == ("PASS", set())


def test_scans_without_sides_cannot_be_mirrored(pair: tuple[Image, Image]) -> None:
    """A symmetric template, a phantom, as it is or bent: exchanging right and left changes nothing."""
    fixed, moving = (symmetric(image) for image in pair)
    assert level(fixed, moving, shift(9, 0, 0), Transform()) == ("PASS", set())
    bend = random_deformation(GRID, DeformationSettings(knots=60.0, amplitude=8.0), seed=3, mask=body_mask(fixed))
    bent = Image(sample(fixed.data[None], moved_index(bend, GRID))[0], GRID)
    assert level(bent, moving, Transform(), Transform((bend,))) == ("PASS", set())


def test_a_dark_organ_outside_of_the_mask_is_no_blank_part(pair: tuple[Image, Image]) -> None:
    """A lung in MR: nearly black, and not in the mask that was found, but its vessels are there."""
    fixed, moving = pair
    organ = torch.arange(GRID.shape[2]) < GRID.shape[2] // 2
    masks = body_mask(fixed), body_mask(moving) & ~organ
    for black, codes in ((0.5 * (moving.data - 300).clamp(min=0), set()), (torch.zeros(()), {"blank"})):
        found = judged_by_images(
            fixed, Image(torch.where(organ, black, moving.data), GRID), masks, Transform(), Transform()
        )
        assert {f.code for f in found} & {"blank"} == codes


@pytest.mark.parametrize("axis", [0, 2])
def test_a_scan_of_which_half_is_blank_is_looked_at(pair: tuple[Image, Image], axis: int) -> None:
    fixed, moving = pair
    data = moving.data.clone()
    data.narrow(axis, 0, data.shape[axis] // 2).fill_(0.0)
    (found,) = (f for f in seen(fixed, Image(data, GRID), Transform(), Transform()) if f.code == "blank")
    assert found.places is not None and found.level == "CHECK"
    if axis == 0:  # along which the body is two parts long
        assert found.places.reach(plane(8)) and not found.places.reach(plane(40))


def breathing() -> tuple[Image, Image]:
    """A trunk in Hounsfield units, and the same with its lung a quarter larger, while tissue keeps its volume."""
    grid, small, large, body = Lattice(GRID.shape, np.diag([4.0, 4.0, 4.0, 1.0])), 60.0, 64.5, 80.0
    away = torch.from_numpy(grid.to_world(np.indices(grid.shape).reshape(3, -1).T) - grid.centre).float()
    far = away.norm(dim=1).clamp(min=1e-3)
    lumps = gaussian_blur(torch.randn(1, *grid.shape, generator=torch.Generator().manual_seed(5)), 1.5)[0]
    lumps = (lumps / lumps.std()).flatten()
    values = torch.where(far < large, -800 + 90 * lumps, torch.where(far < body, 40 + 40 * lumps, -1024.0))
    moving = Image(values.view(grid.shape), grid)
    shell = (far**3 + large**3 - small**3) ** (1 / 3)
    there = away * (torch.where(far < small, far * large / small, shell) / far)[:, None]
    index = torch.from_numpy(grid.to_index(there.double().numpy() + grid.centre)).T.float().view(3, *grid.shape)
    return Image(sample(moving.data[None] + 1024, index)[0] - 1024, grid), moving


def test_lungs_breathe_and_no_shift_was_asked_for() -> None:
    """Phases of one breath: the body grows by an eighth, and no linear part is asked for."""
    found = register(*breathing(), preset("lung_4dct", spacing=4.0, threads=1, device="cpu"))
    reasons = {reason["code"] for reason in found.report["verdict"]["reasons"]}
    assert found.report["deformation"]["volume"] == pytest.approx(1.0, abs=0.08)  # 1.13 with the lung
    assert not reasons & {"grown", "much_deformed"}
    assert found.report["deformation"]["affine"] > found.report["similarity"]["linear"]


def test_where_no_linear_part_was_asked_for_the_nearest_affine_mapping_counts() -> None:
    breath = {"similarity": {"linear": 0.2, "end": 0.5}}
    for affine, level in ((0.4, "PASS"), (0.25, "CHECK")):
        report = facts(**breath, deformation={"volume": 1.0, "affine": affine})
        assert verdict_of(judged_by_size(report, same_person=True))["level"] == level


@pytest.mark.parametrize(
    ("rise", "end", "stays"),
    [(0.03, 0.51, True), (0.01, 0.51, False), (0.01, 0.65, True), (-0.003, 0.65, True), (-0.01, 0.65, False)],
)
def test_a_deformation_is_kept_if_grey_levels_confirm_it_or_do_not_deny_one_that_fits_far_better(
    rise: float, end: float, stays: bool
) -> None:
    assert kept(Evidence(rise, 0.01), 0.5, end) is stays


@pytest.mark.parametrize(("rise", "stays"), [(0.026, False), (0.031, True)])
def test_a_deformation_of_less_than_a_voxel_must_be_confirmed_surely(rise: float, stays: bool) -> None:
    assert kept(Evidence(rise, 0.01), 0.5, 0.9, slight=True) is stays
    assert kept(Evidence(rise, 0.01), 0.5, 0.9)


def facts(**changes: object) -> dict:
    report = {
        "similarity": {"start": 0.3, "linear": 0.5, "end": 0.6},
        "coverage": 1.0,
        "linear": {"turn_deg": 3.0, "scale_percent": 0.4},
        "deformation": {"volume": 1.01},
        "folds": 0,
        "smallest_determinant": 0.6,
        "sd_log_j": 0.1,
    }
    return {**report, **changes}


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"similarity": {"end": 0.1}}, "no_similarity", "FAIL"),
        ({"similarity": {"end": 0.22}}, "low_similarity", "CHECK"),
        ({"similarity": {"linear": 0.2, "end": 0.5}}, "much_deformed", "CHECK"),
        ({"coverage": 0.3}, "little_overlap", "FAIL"),
        ({"coverage": 0.6}, "little_overlap", "CHECK"),
        ({"linear": {"turn_deg": 90.0, "scale_percent": 0}}, "large_turn", "CHECK"),
        ({"linear": {"turn_deg": 0.0, "scale_percent": 4}}, "scaled", "CHECK"),
        ({"linear": {"turn_deg": 0.0, "scale_percent": -9}}, "scaled", "FAIL"),
        ({"deformation": {"volume": 1.2}}, "grown", "CHECK"),
        ({"deformation": {"volume": 1.0, "refused_mm": {"mean": 3.5, "p99": 4.0}}}, "refused", "CHECK"),
        ({"deformation": {"volume": 1.0, "refused_mm": {"mean": 0.2, "p99": 8.0}}}, "refused", "CHECK"),
        ({"deformation": {"volume": 1.0, "confirmed": False}}, "unconfirmed", "CHECK"),
        ({"deformation": {"volume": 1.0, "shift_mm": 31.0}}, "deformation_shifts", "CHECK"),
        ({"folds": 3}, "folds", "FAIL"),
        ({"smallest_determinant": 0.05}, "tissue_vanishes", "CHECK"),
        ({"sd_log_j": 0.9}, "rough", "CHECK"),
    ],
)
def test_figures_that_cannot_be_are_reasons(changes: dict, code: str, level: str) -> None:
    found = verdict_of(judged_by_size(facts(**changes), same_person=True))
    assert found["level"] == level and [r["code"] for r in found["reasons"]] == [code]


def test_good_figures_are_none_and_two_persons_may_differ_in_size() -> None:
    assert verdict_of(judged_by_size(facts(), same_person=True)) == {"level": "PASS", "reasons": []}
    tall = facts(linear={"turn_deg": 0.0, "scale_percent": 9.0}, deformation={"volume": 1.3})
    assert verdict_of(judged_by_size(tall, same_person=False))["level"] == "PASS"
    assert verdict_of(judged_by_size(tall, same_person=None))["level"] == "CHECK"  # nobody said whose they are
    thin = facts(smallest_determinant=0.05)
    assert verdict_of(judged_by_size(thin, same_person=False))["level"] == "PASS"
    assert verdict_of(judged_by_size(facts(folds=1), same_person=False))["level"] == "FAIL"


@pytest.mark.parametrize(("information", "level"), [(-0.15, "PASS"), (-0.01, "CHECK"), (0.01, "CHECK")])
def test_a_deformation_that_grey_levels_deny_beyond_their_noise_is_no_doubt(information: float, level: str) -> None:
    found = {"volume": 1.0, "refused_mm": {"mean": 3.2, "p99": 9.0}, "information": information, "noise": 0.017}
    assert verdict_of(judged_by_size(facts(deformation=found), same_person=True))["level"] == level


def test_labels_and_landmarks_that_get_worse_fail_and_earlier_reasons_stay() -> None:
    report = facts(
        verdict=verdict_of(judged_by_size(facts(coverage=0.6), same_person=True)),
        dice={"before": {"mean": 1.0}, "after": {"mean": 0.83}},
        landmarks={"before": {"mean_mm": 4.0}, "after": {"mean_mm": 6.0}},
    )
    judged = with_findings(report, judged_by_known(report))["verdict"]
    assert judged["level"] == "FAIL"
    assert {r["code"] for r in judged["reasons"]} == {"little_overlap", "labels_worse", "landmarks_worse"}
    better = facts(dice={"before": {"mean": 0.5}, "after": {"mean": 0.8}})
    assert judged_by_known(better) == []


@pytest.fixture
def two_persons(tmp_path: Path) -> tuple[Path, Path]:
    """CTs of one grid whose patients differ in ID and name."""
    ct, mr = dicom_made.make_series(tmp_path / "ct", SMALL), dicom_made.make_series(tmp_path / "mr", SMALL)
    for path in mr.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName = "ID-9999-Z", "Other^Person"
        dataset.save_as(path)
    return ct, mr


def test_two_persons_are_refused_unless_it_is_said(
    two_persons: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ct, mr = two_persons
    words = ["register", "--fixed", str(ct), "--moving", str(mr), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "of different persons: they differ in patient ID and patient name" in said and "--different-patients" in said
    assert not any(secret in said for secret in ("ID-4711", "ID-9999", "Other^", "Secret^"))
    rs = tmp_path / "rs.dcm"
    dicom_made.make_rtstruct(rs, SMALL, {"a": dicom_made.ball(SMALL, SMALL.centre, 4)}, frame="1.2")
    (tmp_path / "id.tfm").write_text(IDENTITY)
    propagate = ["propagate", "-t", str(tmp_path / "id.tfm"), "--rtstruct", str(rs), "--moving-series", str(ct)]
    propagate += ["--fixed-series", str(mr), "-o", str(tmp_path / "o.dcm")]
    assert main(propagate) == 2
    assert "of different persons" in capsys.readouterr().err and not (tmp_path / "o.dcm").exists()


@pytest.mark.parametrize("word", ["query", "figure", "confidence"])
def test_a_click_does_not_lead_from_one_person_to_another(
    word: str, two_persons: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ct, mr = map(str, two_persons)
    point, out = [str(x) for x in SMALL.centre], tmp_path / "out.nii.gz"
    identity = tmp_path / "id.tfm"
    identity.write_text(IDENTITY)
    words = {
        "query": ["--image", ct, "--other", mr, "--ras", *point, "--heat-map", str(out), "--descriptor", "mind"],
        "figure": ["--image", ct, "--other", mr, "--ras", *point, "--descriptors", "mind", "-o", str(out) + ".png"],
        "confidence": ["--fixed", ct, "--moving", mr, "-t", str(identity), "--descriptor", "mind", "-o", str(out)],
    }[word]
    assert main([word, *words]) == 2
    assert "of different persons" in capsys.readouterr().err and not list(tmp_path.glob("out*"))
    assert main([word, *words, "--different-patients"]) == 0
    assert "two different persons" in capsys.readouterr().out and list(tmp_path.glob("out*"))


def test_a_click_in_python_asks_whose_scans_they_are_too(two_persons: tuple[Path, Path]) -> None:
    with pytest.raises(dsir.DsirError, match=r"image and the other scan are of different persons.*different_patients"):
        dsir.query(two_persons[0], SMALL.centre, two_persons[1])


def test_where_tissue_vanishes_is_kept() -> None:
    squeezed = torch.zeros(3, *GRID.shape)
    squeezed[0, 10] = -2.85  # mm, onto the plane before it: of the 3 mm between them 0.15 are left
    field = DisplacementField(squeezed, GRID)
    (found,) = judged_by_size(facts(smallest_determinant=0.05), same_person=None, field=field)
    assert found.code == "tissue_vanishes" and found.places is not None
    assert found.places.reach(plane(10)) and not found.places.reach(plane(8)) and not found.places.reach(plane(20))


def test_one_person_who_is_bent_far_and_then_agrees_is_not_taken_for_two() -> None:
    for end, told in ((0.5, True), (0.62, False)):
        found = judged_by_size(facts(similarity={"linear": 0.3, "end": end}), same_person=None)
        assert [f.code for f in found] == ["much_deformed"] * told


def test_where_nothing_was_matched_no_deformation_is_blamed() -> None:
    report = facts(similarity={"end": -0.001, "linear": -0.002}, coverage=0.62)
    texts = {found.code: found.text for found in judged_by_size(report, same_person=None)}
    assert "much_deformed" not in texts
    assert "only 0.00:" in texts["no_similarity"] and "62 % of the fixed body lies within" in texts["little_overlap"]

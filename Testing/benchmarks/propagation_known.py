"""Contours with a known answer: RTSTRUCT there and back, a known deformation, labels between thick oblique slices."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from dsir.dicom.series import read_series
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import sample
from dsir.metrics.overlap import mask_score
from dsir.rt.structures_in import read_rtstruct
from dsir.rt.structures_out import write_rtstruct
from dsir.shapes.polygons import inside, region
from dsir.shapes.structure import Structure
from dsir.structures.compare import compare
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.warp.labels import warp_labels
from dsir.warp.pullback import pull_back
from scipy import ndimage
from scipy.spatial import cKDTree

AMPLITUDE, PERIOD = 6.0, 90.0
"""mm of the known deformation."""

WIDTH, RASTER = 0.5, 12
"""Pixels; and raster cells in a pixel by which it is found where a region is narrower than that."""

FINE = 0.8
"""mm of the grid on which the truth of the labels is known."""


@dataclass(frozen=True)
class RoundTrip:
    """One RTSTRUCT.

    Attributes:
        mean_px, p99_px, added_px, lost_px: distance between contours before and after the identity, in pixels: mean,
            99th percentile, and the largest from a new contour to the old one (``added``) and back (``lost``).
        solid_px: ``lost`` where the old contour bounds something at least ``WIDTH`` wide: drawn contours have spikes
            that go out and back on one line, bound nothing, and are in no shape.
        surface_dice, dice: after a known deformation, against the analytically deformed structure.
    """

    name: str
    pixel_mm: float
    mean_px: float
    p99_px: float
    added_px: float
    lost_px: float
    solid_px: float
    surface_dice: float
    dice: float


def waves(points: np.ndarray) -> np.ndarray:
    """A smooth displacement (..., 3) in mm at RAS points (..., 3)."""
    phase = 2 * np.pi * points / PERIOD
    return AMPLITUDE * np.stack(
        [np.sin(phase[..., 1]), np.sin(phase[..., 2] + 1.0), 0.7 * np.cos(phase[..., 0] + 0.5)], -1
    )


def round_trip(folder: Path) -> RoundTrip:
    """RTSTRUCT -> shape -> identity -> RTSTRUCT -> shape, and the same shape through a known deformation."""
    series = read_series(folder)
    before = read_rtstruct(next(folder.glob("*RS*")), series).structures[0]
    here = pull_back([before], Transform(), series.lattice, series.lattice)[0].structure
    with tempfile.TemporaryDirectory() as temporary:
        write_rtstruct(Path(temporary) / "back.dcm", [here], series)
        after_points = _drawn(Path(temporary) / "back.dcm")
    before_points = _drawn(next(folder.glob("*RS*")))
    lost, added = _distances(before_points, after_points), _distances(after_points, before_points)
    both, pixel = np.concatenate([lost, added]), float(series.lattice.spacing[0])

    field = _field(series.lattice.with_spacing(2.5))
    moved = pull_back([before], Transform((field,)), series.lattice, series.lattice)[0].structure
    truth = _deformed(before, moved.lattice)
    score = compare(moved, truth)
    return RoundTrip(
        folder.name,
        pixel,
        float(both.mean()) / pixel,
        float(np.percentile(both, 99)) / pixel,
        float(added.max()) / pixel,
        float(lost.max()) / pixel,
        float(lost[_solid(before_points, pixel)].max()) / pixel,
        score.surface_dice,
        score.dice,
    )


def thick_slices(slice_mm: float = 5.0, degrees: float = 25.0, seeds: int = 8) -> dict[str, tuple[float, float, float]]:
    """Organs drawn as voxels on thick oblique slices, pulled onto a fine grid in three ways, against the fine truth.

    Returns:
        method to mean Dice, mean surface Dice at 2 mm, and mean surface distance in mm.
    """
    fine = Lattice((110, 110, 110), np.diag([FINE, FINE, FINE, 1.0]))
    thick = _turned(fine, slice_mm, degrees)
    transform = Transform((_field(fine.with_spacing(2.5)),))
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(seeds):
        drawn = torch.from_numpy(_organ(_points(thick), fine.centre, seed))
        truth = _organ(_moved(transform, fine), fine.centre, seed)
        index = torch.from_numpy(np.moveaxis(thick.to_index(_moved(transform, fine)), -1, 0)).float()
        nearest = sample(drawn[None].float(), index, mode="nearest")[0] > 0.5
        linear = sample(drawn[None].float(), index)[0] > 0.5
        ours = warp_labels(drawn.int(), thick, transform, fine).labels > 0
        for name, mask in (("nearest neighbour", nearest), ("linear, half", linear), ("ours", ours)):
            score = mask_score(truth, mask.numpy(), fine.spacing)
            found.setdefault(name, []).append((score.dice, score.surface_dice, score.surface_distance_mm))
    return {name: tuple(np.mean(scores, axis=0)) for name, scores in found.items()}


def _field(grid: Lattice) -> DisplacementField:
    values = np.moveaxis(waves(_points(grid)), -1, 0).astype(np.float32)
    return DisplacementField(torch.from_numpy(values.copy()), grid)


def _deformed(structure: Structure, grid: Lattice) -> Structure:
    """The structure at the analytic place of every voxel, without any field in between."""
    points = _points(grid)
    index = torch.from_numpy(np.moveaxis(structure.lattice.to_index(points + waves(points)), -1, 0)).float()
    inside = structure.lattice.contains(points + waves(points))
    values = sample(structure.distance[None], index, padding="border")[0].numpy()
    distance = torch.from_numpy(np.where(inside, values, float(structure.distance.min())).astype(np.float32))
    return Structure("truth", distance, grid, 1, structure.colour)


def _drawn(file: Path) -> dict[float, list[np.ndarray]]:
    """Slice position (mm) to its contours, with points every 40th of an edge."""
    import pydicom

    found: dict[float, list[np.ndarray]] = {}
    for item in pydicom.dcmread(file).ROIContourSequence[0].ContourSequence:
        a = np.array(item.ContourData, dtype=float).reshape(-1, 3)
        t = np.linspace(0, 1, 40, endpoint=False)[None, :, None]
        dense = (a[:, None] + t * (np.roll(a, -1, axis=0) - a)[:, None]).reshape(-1, 3)
        found.setdefault(round(float(a[:, 2].mean()), 1), []).append(dense)
    return found


def _distances(contours: dict[float, list[np.ndarray]], to: dict[float, list[np.ndarray]]) -> np.ndarray:
    """In-plane distance of every point to the other's contours on its slice; infinite where there are none."""
    found = []
    for k, lines in contours.items():
        points = np.concatenate(lines)
        found.append(cKDTree(np.concatenate(to[k])).query(points)[0] if k in to else np.full(len(points), np.inf))
    return np.concatenate(found)


def _solid(contours: dict[float, list[np.ndarray]], pixel: float) -> np.ndarray:
    """Whether each point of the contours, in their order, has ``WIDTH`` of inside and of outside beside it."""
    found, radius = [], WIDTH * RASTER / 2
    reach = int(np.ceil(radius))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= radius
    for lines in contours.values():
        points = np.concatenate(lines)[:, :2]
        start = points.min(0) - pixel
        index = (points - start) * RASTER / pixel
        held = inside(
            region([(line[:, :2] - start) * RASTER / pixel for line in lines]).shape,
            tuple(np.ceil(index.max(0)).astype(int) + RASTER),
        )
        at = tuple(np.rint(index).astype(int).T)
        near = np.ones(len(index), dtype=bool)
        # A border has something solid on either side; an outline that crosses itself by a hair has not.
        for side in (held, np.pad(~held, reach, constant_values=True)):
            away = ndimage.distance_transform_edt(~ndimage.binary_opening(side, disc))
            away = away if side is held else away[reach:-reach, reach:-reach]
            near &= away[at] <= 1.0
        found.append(near)
    return np.concatenate(found)


def _points(grid: Lattice) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1))


def _moved(transform: Transform, grid: Lattice) -> np.ndarray:
    points = _points(grid)
    return transform.transform_points(points.reshape(-1, 3)).reshape(points.shape)


def _turned(fine: Lattice, slice_mm: float, degrees: float) -> Lattice:
    """Slices of 1 mm pixels over the same place, turned about the first axis."""
    angle = np.deg2rad(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine, shape = np.eye(4), (120, 120, int(130 / slice_mm))
    affine[:3, :3] = turn * [1.0, 1.0, slice_mm]
    affine[:3, 3] = fine.centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Lattice(shape, affine)


def _organ(points: np.ndarray, centre: np.ndarray, seed: int) -> np.ndarray:
    """A bent, lobed organ of 20 to 40 mm, different for each seed; bool."""
    draw = np.random.default_rng(seed)
    axes, phase = draw.uniform(10, 20, 3), draw.uniform(0, 6, 3)
    x = points - centre - draw.uniform(-4, 4, 3)
    x = x + 3.0 * np.sin(x[..., [1, 2, 0]] / 9.0 + phase)
    return np.linalg.norm(x / axes, axis=-1) < 1.0

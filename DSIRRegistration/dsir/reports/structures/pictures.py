"""Pictures of the slices on which a structure most needs to be looked at."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...geometry.image import Image
from ...geometry.lattice import Lattice, as_shape
from ...geometry.occupied import extent
from ...geometry.windows import fitting_window, window_beside
from ...preview.figure import edge_letters
from ...preview.planes import look
from ...shapes.structure import PointSet, Structure
from ...structures.compare import sample_on
from ...structures.point_sets import dots
from ...structures.verdict import Verdict
from ...transforms.composite import Transform
from ...transforms.jacobian import gradient_at

MARGIN = 25.0
"""mm of surroundings shown."""

PIXEL = 0.7
"""mm of a pixel of the picture."""

APART = 8.0
"""mm between two slices that are both worth a picture."""

HEAD = 0.3
"""Inches above the panels for their titles."""

SMALLEST = 90.0
"""mm: the picture's least width, so that a small structure keeps its surroundings."""


@dataclass(frozen=True)
class Picture:
    """One slice.

    Attributes:
        png: base64.
        caption: where it is and why it was chosen.
    """

    png: str
    caption: str


def draw(
    verdict: Verdict,
    fixed: Image,
    moving: Image | None,
    transform: Transform,
    *,
    reference: Structure | None = None,
) -> list[Picture]:
    """The two worst slices of one structure: fixed, warped moving and the Jacobian, each with the outline."""
    shown = verdict.carried.structure
    structure = dots(shown, fixed.lattice) if isinstance(shown, PointSet) else shown
    if structure is None or structure.empty:
        return []
    chosen = _apart(_worst(structure, transform, reference), APART / float(structure.lattice.spacing[2]))[:2]
    window = fitting_window(fixed.data.numpy())
    scans = [_Scan("fixed scan", fixed, Transform(), window)]
    if moving is not None:
        beside = window_beside(moving.data.numpy(), None, fixed.data.numpy(), window)
        scans.append(_Scan("moving scan, warped", moving, transform, beside))
    return [_slice(structure, scans, transform, reference, k, why) for k, why in chosen]


@dataclass(frozen=True)
class _Scan:
    """Attributes: lowest and highest grey; the mapping leads from fixed into the image."""

    title: str
    image: Image
    mapping: Transform
    window: tuple[float, float]

    def look(self, points: np.ndarray) -> np.ndarray:
        """(H, W) values at fixed points (H, W, 3); the darkest where the scan has none."""
        moved = self.mapping.transform_points(points.reshape(-1, 3)).reshape(points.shape)
        return np.nan_to_num(look(self.image, moved), nan=float(self.image.data.min()))


def _apart(slices: list[tuple[int, str]], least: float) -> list[tuple[int, str]]:
    """Those that are not nearly the same as one before them."""
    kept: list[tuple[int, str]] = []
    for k, why in slices:
        if all(abs(k - other) >= least for other, _ in kept):
            kept.append((k, why))
    return kept


def _worst(structure: Structure, transform: Transform, reference: Structure | None) -> list[tuple[int, str]]:
    """Slices of the structure's box with the reason for each, the worst first."""
    mask = structure.distance > 0
    slices = np.flatnonzero(mask.any(0).any(0).numpy())
    if reference is not None:
        drawn = sample_on(reference, structure.lattice) > 0
        both = (mask & drawn).sum((0, 1)).numpy()
        size = mask.sum((0, 1)).numpy() + drawn.sum((0, 1)).numpy()
        dice = np.where(size > 0, 2 * both / np.maximum(size, 1), 1.0)
        wrong = size - 2 * both
        order = np.argsort(-wrong, kind="stable")
        return [(int(k), f"most disagreement with the reference, Dice {dice[k]:.2f} here") for k in order]
    inside = mask.nonzero().numpy()
    change = np.abs(np.log2(_jacobian(transform, structure.lattice.to_world(inside))))
    strain = np.array([change[inside[:, 2] == k].max() for k in slices])
    area = mask[..., slices].sum((0, 1)).numpy()
    strained = slices[int(strain.argmax())]
    widest = slices[int(area.argmax())]
    found = [(int(strained), "strongest local volume change"), (int(widest), "largest section")]
    return found if strained != widest else found[:1]


def _slice(
    structure: Structure,
    scans: list[_Scan],
    transform: Transform,
    reference: Structure | None,
    k: int,
    why: str,
) -> Picture:
    grid = _plane(structure, k)
    points = grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1))[:, :, 0]
    shape = sample_on(structure, grid)[..., 0].numpy()
    drawn = sample_on(reference, grid)[..., 0].numpy() if reference is not None else None
    change = np.log2(np.maximum(_jacobian(transform, points.reshape(-1, 3)).reshape(grid.shape[:2]), 1e-3))
    width, height = grid.shape[0], grid.shape[1]
    count = len(scans) + 1
    figure = Figure(figsize=(3.2 * count, 3.2 * height / width + HEAD), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    top = 1 - HEAD / figure.get_figheight()
    axes = figure.subplots(1, count, gridspec_kw={"left": 0, "right": 1, "bottom": 0, "top": top, "wspace": 0.012})
    for axis, scan in zip(axes, scans, strict=False):
        low, high = scan.window
        axis.imshow(scan.look(points).T, cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
        _outline(axis, scan.title, shape, drawn, tuple(c / 255 for c in structure.colour), "white")
        _sides(axis, grid)
    axes[-1].imshow(change.T, cmap="PuOr_r", vmin=-1, vmax=1, interpolation="bilinear")
    _outline(axes[-1], "volume change: violet halves, orange doubles", shape, drawn, "#222222", "#222222")
    stream = BytesIO()
    figure.savefig(stream, format="png")
    position = structure.lattice.to_world(np.array([0, 0, k]))[2]
    caption = f"{why[:1].upper()}{why[1:]} (S {position:+.1f} mm)."
    return Picture(base64.b64encode(stream.getvalue()).decode("ascii"), caption)


def _outline(
    axis: Axes, title: str, shape: np.ndarray, drawn: np.ndarray | None, colour: str | tuple[float, ...], dashes: str
) -> None:
    """The propagated contour as a line, the reference dashed."""
    axis.set_title(title, fontsize=9, color="#444444", pad=4)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.contour(shape.T, levels=[0.0], colors=[colour], linewidths=1.5)
    if drawn is not None and (drawn > 0).any():
        axis.contour(drawn.T, levels=[0.0], colors=[dashes], linewidths=1.0, linestyles="dashed")


def _sides(axis: Axes, grid: Lattice) -> None:
    """The patient's side at each edge of the picture."""
    across, down = grid.directions[:, 0], grid.directions[:, 1]
    main = [(way, int(np.abs(way).argmax())) for way in (-across, across, -down, down)]
    edge_letters(axis, "".join(("RL", "AP", "SI")[along][int(way[along] < 0)] for way, along in main), "white")


def _plane(structure: Structure, k: int) -> Lattice:
    """A square of one slice around the structure, as the slice is seen from the feet: right of the patient at left."""
    around = extent(structure.distance > 0)
    assert around is not None  # pictures are made of what is there
    first, last = around
    centre_index = (first + last) / 2
    centre_index[2] = k
    centre = structure.lattice.to_world(centre_index)
    across, down = _in_plane(structure.lattice)
    span = structure.lattice.directions * structure.lattice.spacing * (last - first)
    size = [max(np.abs(way @ span[:, :2]).max() + 2 * MARGIN, SMALLEST) for way in (across, down)]
    side = max(size[0], size[1] / 0.9), max(size[1], size[0] * 0.75)
    shape = as_shape((np.ceil(side[0] / PIXEL), np.ceil(side[1] / PIXEL), 1))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = across * PIXEL, down * PIXEL
    affine[:3, 2] = np.cross(across, down)
    affine[:3, 3] = centre - affine[:3, :2] @ ((np.array(shape[:2]) - 1) / 2)
    return Lattice(shape, affine)


def _in_plane(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors to the right and down of the picture: for axial slices to the patient's left and back."""
    axes = lattice.directions[:, :2]
    horizontal = int(np.abs(axes[0]).argmax()) if np.abs(axes[0]).max() > 0.5 else int(np.abs(axes[1]).argmax())
    across, down = axes[:, horizontal], axes[:, 1 - horizontal]
    main = int(np.abs(across).argmax())
    across = -across if across[main] > 0 else across
    main = int(np.abs(down).argmax())
    return across, -down if down[main] > 0 else down


def _jacobian(transform: Transform, points: np.ndarray) -> np.ndarray:
    """(N,) det J at points (N, 3), above zero."""
    return np.maximum(np.linalg.det(gradient_at(transform, points, 1.0)), 1e-6)

"""Two views of one anatomy, cut at different places, turned, scaled and bent, and which positions correspond.

The position trap (measured, METHOD.md): views cut at the same place let a zero-padded network answer "where am I"
instead of "what is here". So the two centres differ by up to half a view, and everything that relates the views is
known to the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..geometry.sampling import index_grid, sample
from .random_numbers import uniform


@dataclass(frozen=True)
class ViewSettings:
    """Geometry of the views.

    Attributes:
        size: voxels along each side.
        spacing: working voxel size in mm; each pair of views varies it by up to ``zoom``.
        zoom: largest factor on the voxel size, common to both views.
        scale: largest relative difference of scale of one view along each axis.
        rotation: degrees, largest angle about each axis, each view; most angles are far smaller (a cube of a uniform
            number): invariance to what linear alignment removes is paid for with sharpness (measured).
        offset: largest distance between the two centres along each axis, as a share of ``size``.
        warp: standard deviation in voxels of the bending's control points; two fifths of the views are bent.
    """

    size: int = 56
    spacing: float = 2.0
    zoom: float = 1.25
    scale: float = 0.06
    rotation: float = 15.0
    offset: float = 0.5
    warp: float = 1.0


@dataclass(frozen=True, eq=False)
class View:
    """One view's geometry: view voxel v looks at source voxel ``matrix (v + warp(v) - middle) + centre``.

    Attributes:
        matrix: (3, 3) view voxels to source voxels.
        centre: (3,) source voxel in the view's middle.
        warp: (3, n, n, n) in view voxels.
    """

    matrix: torch.Tensor
    centre: torch.Tensor
    warp: torch.Tensor

    @property
    def size(self) -> int:
        return self.warp.shape[1]

    def to_source(self, positions: torch.Tensor) -> torch.Tensor:
        """View voxels (3, ...) to source voxels (3, ...)."""
        bent = positions + sample(self.warp, positions, padding="border")
        return self._affine(bent)

    def grid(self) -> torch.Tensor:
        """(3, n, n, n) the source voxel each voxel of the view looks at."""
        return self._affine(index_grid((self.size,) * 3) + self.warp)

    def from_source(self, points: torch.Tensor, iterations: int = 6) -> torch.Tensor:
        """Source voxels (3, N) to view voxels (3, N), by fixed-point iteration on the bending."""
        straight = torch.linalg.solve(self.matrix, points - self.centre[:, None]) + (self.size - 1) / 2
        positions = straight
        for _ in range(iterations):
            positions = straight - sample(self.warp, positions, padding="border")
        return positions

    def _affine(self, bent: torch.Tensor) -> torch.Tensor:
        flat = (bent - (self.size - 1) / 2).reshape(3, -1)
        return (self.matrix @ flat + self.centre[:, None]).reshape(bent.shape)


def draw_views(
    body: torch.Tensor, source_spacing: float, settings: ViewSettings, generator: torch.Generator
) -> tuple[View, View]:
    """Two views of a source whose ``body`` (I, J, K) bool says where there is something to see."""
    size = settings.size
    common = settings.spacing / source_spacing * settings.zoom ** uniform(-1, 1, generator)
    mirror = torch.diag(torch.where(torch.rand(3, generator=generator) < 0.5, -1.0, 1.0))
    reach = torch.tensor([0.2 * n for n in body.shape])
    middle = torch.tensor(_body_voxel(body, generator))
    # Draw towards the middle of the volume: a view that looks past its edge sees mostly nothing.
    half = torch.tensor([0.5 * (n - 1) for n in body.shape])
    room = (half - 0.25 * size * common).clamp(min=0) + reach * 0.25
    middle = torch.minimum(torch.maximum(middle, half - room), half + room)
    views = []
    for sign in (-0.5, 0.5):
        apart = torch.tensor([uniform(-1, 1, generator) for _ in range(3)]) * settings.offset * size
        scales = 1 + settings.scale * (2 * torch.rand(3, generator=generator) - 1)
        matrix = common * mirror @ _rotation(settings.rotation, generator) @ torch.diag(scales)
        warp = torch.zeros(3, size, size, size)
        if torch.rand(1, generator=generator) < 0.4:
            control = torch.randn((1, 3, 5, 5, 5), generator=generator) * settings.warp
            warp = F.interpolate(control, size=(size,) * 3, mode="trilinear", align_corners=True)[0]
        views.append(View(matrix, middle + sign * (matrix @ apart), warp))
    return views[0], views[1]


def _rotation(degrees: float, generator: torch.Generator) -> torch.Tensor:
    out = torch.eye(3)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        angle = torch.deg2rad(torch.tensor(degrees * uniform(-1, 1, generator) ** 3))
        turn = torch.eye(3)
        turn[a, a] = turn[b, b] = torch.cos(angle)
        turn[a, b], turn[b, a] = -torch.sin(angle), torch.sin(angle)
        out = out @ turn
    return out


def _body_voxel(body: torch.Tensor, generator: torch.Generator) -> tuple[float, ...]:
    for _ in range(50):
        voxel = tuple(int(torch.randint(0, n, (1,), generator=generator)) for n in body.shape)
        if body[voxel]:
            return tuple(float(v) for v in voxel)
    return tuple((n - 1) / 2 for n in body.shape)


def corresponding(
    first: View,
    second: View,
    visible: torch.Tensor,
    count: int,
    generator: torch.Generator,
    *,
    near: float = 0.4,
    border: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Up to ``count`` positions inside the body that both views see.

    Positions lie between voxels. A share ``near`` of them is scattered 1 to 4 voxels around others, so that the loss
    has negatives close by and the representation has to tell neighbours apart.

    Args:
        visible: (I, J, K) bool on the source.
        border: voxels at the views' edges that are left out.

    Returns:
        (3, N) voxels in the first and (3, N) voxels in the second view, N <= ``count``.
    """
    size = first.size
    spread = int(count * (1 - near)) * 3
    anywhere = torch.rand(3, spread, generator=generator) * (size - 1 - 2 * border) + border
    a, b = _seen(anywhere, first, second, visible, border)
    keep = int(count * (1 - near))
    a, b = a[:, :keep], b[:, :keep]
    if a.shape[1] == 0:
        return a, b
    anchors = a[:, torch.randint(0, a.shape[1], (int(1.3 * count * near),), generator=generator)]
    direction = F.normalize(torch.randn(anchors.shape, generator=generator), dim=0)
    around = anchors + direction * (1 + 3 * torch.rand(1, anchors.shape[1], generator=generator))
    c, d = _seen(around.clamp(border, size - 1 - border), first, second, visible, border)
    return torch.cat([a, c], 1)[:, :count], torch.cat([b, d], 1)[:, :count]


def _seen(
    positions: torch.Tensor, first: View, second: View, visible: torch.Tensor, border: float
) -> tuple[torch.Tensor, torch.Tensor]:
    partners, inside = partners_seen(positions, first, second, visible, border)
    return positions[:, inside], partners[:, inside]


def cube(reach: int) -> torch.Tensor:
    """(3, 1, N) whole voxels within ``reach`` of a voxel along each axis."""
    line = torch.arange(-reach, reach + 1)
    return torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(3, 1, -1)


def partners_seen(
    positions: torch.Tensor, first: View, second: View, visible: torch.Tensor, border: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where voxels (3, N) of the first view lie in the second, and (N,) bool: in the body and within both views."""
    points = first.to_source(positions)
    partners = second.from_source(points)
    voxels = points.round().long()
    limits = torch.tensor(visible.shape)[:, None]
    inside = ((voxels >= 0) & (voxels < limits)).all(0)
    inside &= ((partners >= border) & (partners <= second.size - 1 - border)).all(0)
    index = voxels.clamp(min=0).minimum(limits - 1)
    inside &= visible[index[0], index[1], index[2]]
    return partners, inside

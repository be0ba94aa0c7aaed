"""Everything a registration depends on besides its images; shared as JSON by every door."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from ..errors import DsirError


@dataclass(frozen=True)
class LinearSettings:
    """The linear stage.

    Attributes:
        start: ``"auto"`` (the best of the others by similarity), ``"identity"``, ``"centre"`` (centres of mass of the
            body masks) or ``"axes"`` (principal axes of the masks).
        model: ``"none"``, ``"rigid"`` or ``"affine"``.
        spacing: mm of the finest lattice it works on.
    """

    start: str = "auto"
    model: str = "affine"
    spacing: float = 4.0


@dataclass(frozen=True)
class DiscreteSettings:
    """The discrete stage: coupled convex optimisation on a cost volume.

    Attributes:
        enabled: whether it runs.
        grid: mm between control points.
        capture: mm; the largest displacement looked for along each axis.
    """

    enabled: bool = True
    grid: float = 8.0
    capture: float = 40.0


@dataclass(frozen=True)
class DescentSettings:
    """The continuous stage.

    Attributes:
        method: ``"compositive"`` (our own, diffeomorphic) or ``"paper"`` (Adam on a dense displacement, METHOD.md [R]).
        spacings: mm of the lattice at each level, coarse to fine.
        iterations: steps at each level.
    """

    method: str = "compositive"
    spacings: tuple[float, ...] = (8.0, 4.0, 2.0)
    iterations: tuple[int, ...] = (40, 30, 20)


@dataclass(frozen=True)
class RegistrationSettings:
    """All of them, as one value.

    Attributes:
        preset: the name these settings began from.
        descriptor: ``"dsir"`` or ``"mind"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: CPU threads; 0 leaves torch's own choice.
        seed: of every random choice.
    """

    preset: str = "default"
    descriptor: str = "mind"
    device: str = "auto"
    threads: int = 0
    seed: int = 0
    linear: LinearSettings = field(default_factory=LinearSettings)
    discrete: DiscreteSettings = field(default_factory=DiscreteSettings)
    descent: DescentSettings = field(default_factory=DescentSettings)

    def to_json(self) -> dict[str, Any]:
        """Plain values, fit for ``json.dump``."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> RegistrationSettings:
        """Read what :meth:`to_json` wrote; unknown names are an error, missing ones keep their defaults."""
        return _merge(RegistrationSettings(), values)


def _merge(settings: Any, values: dict[str, Any]) -> Any:
    known = {f.name: getattr(settings, f.name) for f in fields(settings)}
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise DsirError(f"There is no setting called {name!r}; known are: {', '.join(sorted(known))}.")
        if is_dataclass(known[name]) and isinstance(value, dict):
            value = _merge(known[name], value)
        elif isinstance(known[name], tuple):
            value = tuple(value)
        changes[name] = value
    return replace(settings, **changes)


def preset(name: str, **changes: Any) -> RegistrationSettings:
    """The settings called ``name`` (``"fast"``, ``"default"``, ``"accurate"``, ``"paper"``), with changes on top."""
    if name not in PRESETS:
        raise DsirError(f"There is no preset called {name!r}; known are: {', '.join(PRESETS)}.")
    return replace(PRESETS[name], **changes)


PRESETS: dict[str, RegistrationSettings] = {
    "fast": RegistrationSettings(preset="fast"),
    "default": RegistrationSettings(),
    "accurate": RegistrationSettings(preset="accurate"),
    "paper": RegistrationSettings(preset="paper", descent=DescentSettings(method="paper")),
}

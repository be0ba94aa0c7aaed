"""Everything a registration depends on besides its images; shared as JSON by every door."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from ..errors import DsirError
from .descent import Level
from .discrete import DiscreteSettings
from .linear import LinearSettings
from .paper import PaperSettings
from .solver import Stiffness


@dataclass(frozen=True)
class DescentSettings:
    """The continuous stage.

    Attributes:
        method: ``"compositive"`` (our own, a diffeomorphism by construction) or ``"paper"`` (Adam on a dense
            displacement, METHOD.md [R], with the fold guard behind it).
        levels: of our own, coarse to fine.
        paper: of the paper's.
    """

    method: str = "compositive"
    levels: tuple[Level, ...] = (Level(scale=2.0, stiffness=Stiffness(bending=10.0)), Level(scale=1.0))
    paper: PaperSettings = field(default_factory=PaperSettings)


@dataclass(frozen=True)
class RegistrationSettings:
    """All of them, as one value.

    Attributes:
        preset: the name these settings began from.
        descriptor: ``"dsir"`` (with detail channels) or ``"mind"``. DSIR is the more accurate between modalities, for
            twice the time; MIND-SSC is between phases of one CT (measured: Docs/solver.md).
        detail: share of MIND-SSC channels put beside a learned descriptor's, 0..1.
        spacing: mm of the finest lattice that descriptors are computed on; at least half of both images' voxels.
        voxels: the most that lattice may have; coarser spacing is used where it would have more.
        memory: MiB that the whole program may take, 0 for no limit; see :mod:`.memory` for what gives way.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: CPU threads; 0 leaves torch's own choice.
        seed: of every random choice.
    """

    preset: str = "default"
    descriptor: str = "dsir"
    detail: float = 0.9
    spacing: float = 2.0
    voxels: int = 2_500_000
    memory: int = 0
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
        """Read what :meth:`to_json` wrote; missing names keep their defaults.

        Raises:
            DsirError: a name that no setting has, or a value of the wrong kind.
        """
        return _merged(RegistrationSettings(), values)


RETIRED = {"initial_network"}
"""Settings that old reports hold and that no longer exist; read and left out."""


def _merged(settings: Any, values: dict[str, Any]) -> Any:
    known = {f.name: getattr(settings, f.name) for f in fields(settings)}
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name in RETIRED:
            continue
        if name not in known:
            raise DsirError(f"There is no setting called {name!r}; known are: {', '.join(sorted(known))}.")
        changes[name] = _fitting(name, known[name], value)
    return replace(settings, **changes)


def _fitting(name: str, default: Any, value: Any) -> Any:
    """``value`` as the kind of thing that ``default`` is."""
    if is_dataclass(default):
        if isinstance(value, dict):
            return _merged(default, value)
    elif isinstance(default, tuple):
        if isinstance(value, list | tuple):
            return tuple(_fitting(name, default[0], v) for v in value)
    elif isinstance(default, bool | str):
        if isinstance(value, type(default)):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return type(default)(value)
    raise DsirError(f"The setting {name!r} cannot be {value!r}.")


def preset(name: str, **changes: Any) -> RegistrationSettings:
    """The settings called ``name``, with changes on top.

    Raises:
        DsirError: no preset has this name.
    """
    if name not in PRESETS:
        raise DsirError(f"There is no preset called {name!r}; known are: {', '.join(PRESETS)}.")
    return replace(PRESETS[name], **changes)


PRESETS: dict[str, RegistrationSettings] = {
    "fast": RegistrationSettings(
        preset="fast",
        descriptor="mind",
        spacing=3.0,
        descent=DescentSettings(
            levels=(Level(scale=2.0, stiffness=Stiffness(bending=10.0)), Level(scale=1.0, iterations=4))
        ),
    ),
    "default": RegistrationSettings(),
    "accurate": RegistrationSettings(
        preset="accurate",
        spacing=1.5,
        voxels=12_000_000,
        descent=DescentSettings(
            levels=(
                Level(scale=2.67, iterations=10, stiffness=Stiffness(bending=10.0)),
                Level(scale=1.33, iterations=10),
                Level(scale=1.0, iterations=8, stiffness=Stiffness(bending=8.0)),
            )
        ),
    ),
    "paper": RegistrationSettings(preset="paper", descent=DescentSettings(method="paper")),
}
"""``fast`` looks at 3 mm with MIND-SSC, ``default`` at 2 mm, ``accurate`` at 1.5 mm in more steps; ``paper`` descends
as [R] does."""

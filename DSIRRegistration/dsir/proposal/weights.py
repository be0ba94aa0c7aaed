"""A registration network on disk: one safetensors file that knows its shape and whose descriptors it reads."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save_file

from ..features.weights import read_tensors
from .network import RegistrationNetwork, RegistrationNetworkSettings


@dataclass(frozen=True, eq=False)
class Trained:
    """A network as it was read.

    Attributes:
        network: ready to be asked.
        descriptor: the name it was trained with (``"dsir"``, a path), and ``identity``: what exactly that was.
        provenance: steps, seed, hours.
        sha256: of the file.
    """

    network: RegistrationNetwork
    descriptor: str
    identity: dict[str, object]
    provenance: dict[str, object]
    sha256: str


def write_registration(
    path: Path,
    network: RegistrationNetwork,
    descriptor: str,
    identity: dict[str, object],
    provenance: dict[str, object],
) -> None:
    """Write a network; whole under its final name, or not there at all."""
    header = {
        "registration_network": json.dumps(asdict(network.settings)),
        "descriptor": json.dumps({"name": descriptor, "identity": identity}),
        "provenance": json.dumps(provenance),
    }
    partial = path.with_suffix(".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}, partial, metadata=header)
    os.replace(partial, path)


def read_registration(path: Path) -> Trained:
    """Read what :func:`write_registration` wrote.

    Raises:
        DsirError: the file is missing, damaged or no registration network.
    """
    tensors, digest, header = read_tensors(
        path,
        kind="a registration network (dsir train-registration)",
        wanted=("registration_network", "descriptor", "provenance"),
    )
    shape, described, provenance = header
    settings = RegistrationNetworkSettings(**{k: tuple(v) if isinstance(v, list) else v for k, v in shape.items()})
    network = RegistrationNetwork(settings)
    network.load_state_dict(tensors)
    return Trained(network.eval().requires_grad_(False), described["name"], described["identity"], provenance, digest)

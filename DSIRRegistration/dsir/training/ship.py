"""Put trained weights where the extension ships them.

python -m dsir.training.ship runs/x/weights.safetensors dsir        # a network
python -m dsir.training.ship runs/place/weights.safetensors dsir    # the place head beside it; the file knows which
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from ..errors import DsirError
from ..features.place_weights import is_place, read_place
from ..features.weights import MODELS, manifest, read_weights


def ship(path: Path, name: str, folder: Path = MODELS) -> dict[str, object]:
    """Copy weights to ``folder`` under ``name`` and enter them, with their hash, in its ``models.json``.

    Raises:
        DsirError: no weights of this project, or a place head without the network it was trained beside.
    """
    models = manifest(folder)
    weights = read_place(path) if (head := is_place(path)) else read_weights(path)
    if head and models.get(name, {}).get("sha256") != weights.provenance["find"]:
        raise DsirError(f"{path.name} was trained beside another network than the one that ships as {name}.")
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}-place.safetensors" if head else f"{name}.safetensors"
    shutil.copyfile(path, folder / file)
    entry: dict[str, object] = {"file": file, "sha256": weights.sha256, **weights.provenance}
    models = {**models, name: {**models[name], "place": entry} if head else entry}
    partial = folder / "models.json.partial"
    partial.write_text(json.dumps({"models": models}, indent=2) + "\n")
    os.replace(partial, folder / "models.json")
    return entry


if __name__ == "__main__":
    print(ship(Path(sys.argv[1]), sys.argv[2]))

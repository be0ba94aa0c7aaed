"""Put trained weights where the extension ships them.

python -m dsir.training.ship runs/x/weights.safetensors dsir
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from ..features.weights import MODELS, manifest, read_weights


def ship(path: Path, name: str, folder: Path = MODELS) -> dict[str, object]:
    """Copy weights to ``folder`` under ``name`` and enter them, with their hash, in its ``models.json``."""
    weights = read_weights(path)
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}.safetensors"
    shutil.copyfile(path, folder / file)
    entry = {"file": file, "sha256": weights.sha256, **weights.provenance}
    models = {**manifest(folder), name: entry}
    partial = folder / "models.json.partial"
    partial.write_text(json.dumps({"models": models}, indent=2) + "\n")
    os.replace(partial, folder / "models.json")
    return entry


if __name__ == "__main__":
    print(ship(Path(sys.argv[1]), sys.argv[2]))

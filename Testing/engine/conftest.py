"""For every test of the engine: one thread, since the volumes are small and threads would only wait for one another.

Where a test asks for more they sleep while they wait, for other tests keep the processors busy meanwhile.

And for all tests: files that take longest begin first, so that no worker is left alone with one of them at the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))  # pairs and figures that both ask for
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch loads OpenMP

import pytest
import torch

torch.set_num_threads(1)

LONGEST = (
    "test_viewer_browser.py",
    "test_registration_pipeline.py",
    "test_linear_choice.py",
    "test_registration_limits.py",
    "test_batch.py",
    "test_planning_head.py",
    "test_rt_propagation.py",
    "test_cli_stopping.py",
    "test_face.py",
    "test_registration_refining.py",
    "1_register_and_look.ipynb",
    "2_click_and_steer.ipynb",
    "test_commissioning.py",
    "test_batch_studies.py",
)
"""Names of files, the longest first (processor seconds: 50 ... 14); all others follow as they were found.
``pytest -n 2 --dist loadfile --no-loadscope-reorder`` keeps this order; xdist's own begins with the most tests."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort them; the order within a file stays."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))

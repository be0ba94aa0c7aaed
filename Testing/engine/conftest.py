"""For every test of the engine: one thread, since the volumes are small and threads would only wait for one another."""

from __future__ import annotations

import torch

torch.set_num_threads(1)

"""How long one query takes, with surroundings and alone, beside one read through the same memory.

    python Testing/benchmarks/query.py [--shape 192 160 192] [--channels 24] [--threads 2] [--queries 50]

Random unit vectors stand for the descriptors: the arithmetic does not depend on what they mean. Printed are the median
and the 95th percentile of the wall clock, and the processor time of one thread over the number of threads, which is
what the wall clock would be on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from dsir.geometry.lattice import Lattice  # noqa: E402
from dsir.similarity.query import query  # noqa: E402
from dsir.similarity.store import SCALE, FeatureStore  # noqa: E402


def random_store(shape: tuple[int, int, int], channels: int, seed: int = 0) -> FeatureStore:
    """Unit vectors without meaning, 2 mm apart, alike within cubes of four voxels."""
    rng = np.random.default_rng(seed)
    data = np.empty((shape[0], channels, shape[1] * shape[2]), np.int8)
    for start in range(0, shape[0], 4):
        vectors = rng.standard_normal((channels, *(-(-n // 4) for n in shape[1:])), dtype=np.float32)
        vectors = (vectors / np.linalg.norm(vectors, axis=0)).repeat(4, 1).repeat(4, 2)[:, : shape[1], : shape[2]]
        data[start : start + 4] = np.rint(SCALE * vectors).reshape(channels, -1)
    return FeatureStore(data, Lattice(shape, np.diag([2.0, 2.0, 2.0, 1.0])), {"descriptor": "random"}, "")


def clock(work: Callable[[], object], times: int) -> np.ndarray:
    """Milliseconds of wall clock for each of ``times`` calls, after one that warms up."""
    work()
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(1e3 * (time.perf_counter() - start))
    return np.array(spent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(192, 160, 192))
    parser.add_argument("--channels", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, default=50)
    options = parser.parse_args()
    store = random_store(tuple(options.shape), options.channels)
    rng = np.random.default_rng(1)
    words = store.data.reshape(-1).view(np.uint64)
    parts = np.array_split(words, options.threads)
    pool = ThreadPoolExecutor(options.threads)
    heat = np.empty(store.lattice.shape, np.float32)

    def ask(threads: int, *, alone: bool) -> None:
        point = store.lattice.to_world(rng.random(3) * (np.array(store.lattice.shape) - 1))
        query(store, point, store, threads=threads, alone=alone, out=heat)

    def one_thread(work: Callable[[], object]) -> float:
        work()
        start = time.thread_time()
        for _ in range(options.queries):
            work()
        return 1e3 * (time.thread_time() - start) / options.queries

    rows = (
        ("with surroundings", lambda: ask(options.threads, alone=False), lambda: ask(1, alone=False)),
        ("by the voxel alone", lambda: ask(options.threads, alone=True), lambda: ask(1, alone=True)),
        ("one read", lambda: list(pool.map(np.max, parts)), words.max),
    )
    print(f"{store.data.nbytes / 1e6:.0f} MB of descriptors, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print("| | p50 ms | p95 ms | processor ms / threads |")
    print("|---|---|---|---|")
    for name, work, alone in rows:
        spent = clock(work, options.queries)
        p50, p95 = np.percentile(spent, [50, 95])
        print(f"| {name} | {p50:.1f} | {p95:.1f} | {one_thread(alone) / options.threads:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

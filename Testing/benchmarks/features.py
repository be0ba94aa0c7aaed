"""What it takes to describe a volume: seconds and memory, beside the least they could be.

    python Testing/benchmarks/features.py [--size 160] [--threads 2] [--descriptors dsir mind]

Each descriptor runs in a process of its own on a cube of random intensities, once to warm up and ``--times`` times to
measure. The floor of the time is the number of multiplications and additions of its convolutions over the rate of a
large matrix product in the same number format; of the memory, the volume that goes in and the vectors that come out.
MIND-SSC has no convolutions: its floor is to write its vectors once, at the bandwidth of a large copy.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=160, metavar="N", help="voxels along each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=3, metavar="N")
    parser.add_argument("--descriptors", nargs="+", default=["dsir", "mind"], metavar="NAME")
    options = parser.parse_args()
    print(f"{options.size}^3 voxels, {options.threads} threads")
    print("| descriptor | numbers | seconds | floor, s | times | peak MiB above the start | floor, MiB | times |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.descriptors:
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            print(alone.apply(measure, (name, options.size, options.threads, options.times)))
    return 0


def measure(name: str, size: int, threads: int, times: int) -> str:
    """One row."""
    import torch
    from dsir.features.descriptor import load_descriptor
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(threads)
    descriptor = load_descriptor(name)
    dtype = torch.bfloat16 if getattr(descriptor, "half", False) else torch.float32
    volume = torch.rand(size, size, size, generator=torch.Generator().manual_seed(0))
    descriptor.describe(volume[:48, :48, :48].contiguous())
    before = _peak()
    out = descriptor.describe(volume)
    peak = _peak() - before
    seconds = _seconds(lambda: descriptor.describe(volume), times)
    counter = FlopCounterMode(display=False)
    with counter:
        descriptor.describe(volume)
    if counter.get_total_flops():
        matrix = torch.rand(2048, 2048).to(dtype)
        floor = counter.get_total_flops() * _seconds(lambda: matrix @ matrix, 5) / (2 * 2048**3)
    else:
        other = torch.empty_like(out)
        floor = _seconds(lambda: other.copy_(out), 5) / 2
    least = (out.numel() + volume.numel()) * 4 / 2**20
    return (
        f"| {name} | {out.shape[0]} {str(dtype).removeprefix('torch.')} inside | {seconds:.2f} | {floor:.2f} "
        f"| {seconds / floor:.1f} | {peak:.0f} | {least:.0f} | {peak / least:.1f} |"
    )


def _seconds(work: Callable[[], object], times: int) -> float:
    """The quickest of several, which is the one least disturbed."""
    work()
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def _peak() -> float:
    """MiB this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    raise SystemExit(main())

"""The viewer in headless Chromium: seconds until it can be asked, a click to changed pixels, pictures while dragging.

    python Testing/benchmarks/viewer.py t1.nii.gz t2.nii.gz --descriptor dsir --screenshot viewer.png

Needs Chromium, playwright and trame-slicer. Clicks go into the fixed image's axial view; changed are the pixels of the
moving image's. Their times include taking the pictures that show the change. A drag runs along a circle in the same
view, ``--moves`` places a second; counted are the pictures that the page has put up in the moving image's axial view,
and the processor time of the viewer and of the browser over their number, which other programs on the machine lengthen
less than the clock.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "viewer")]

from browser import CHROMIUM, FLAGS, cell, click, pixels, wait_for_change  # noqa: E402

PLACES = ((0.52, 0.44), (0.44, 0.55), (0.58, 0.58), (0.48, 0.36), (0.40, 0.42), (0.60, 0.50))
"""Shares of the view's width and height."""

COUNT = """() => {
  const count = window.dsirPictures = { views: [0, 0, 0, 0, 0, 0], words: 0 };
  document.querySelectorAll('.layout-grid-item').forEach((view, n) => new MutationObserver(
    all => { count.views[n] += all.filter(one => one.target.tagName === 'IMG').length; }
  ).observe(view, { subtree: true, attributes: true, attributeFilter: ['src'] }));
  new MutationObserver(() => { count.words += 1; }).observe(
    document.querySelector('#dsir-words'), { subtree: true, characterData: true, childList: true });
}"""
"""Counts pictures put up in each view, and answers told, from now on."""


def main() -> int:
    """Start, click, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixed", type=Path)
    parser.add_argument("moving", type=Path)
    parser.add_argument("--descriptor", default="dsir")
    parser.add_argument("--screenshot", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar="PIXELS")
    parser.add_argument("--moves", type=float, default=20.0, help="places a second while dragging")
    parser.add_argument("--seconds", type=float, default=6.0, help="of the drag")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        words = [str(options.fixed.resolve()), str(options.moving.resolve()), "--descriptor", options.descriptor]
        said = Path(name) / "said.txt"
        began = time.monotonic()
        with said.open("w") as file:
            child = subprocess.Popen(
                [sys.executable, "-m", "DSIRRegistrationLib.viewer", *words, "--no-browser", "--out", name],
                stdout=file, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(ROOT / "DSIRRegistration")},
            )  # fmt: skip
        try:
            while not (found := re.search(r"http://127\.0\.0\.1:\d+/\S+", said.read_text())):
                if child.poll() is not None:
                    print(said.read_text())
                    return 1
                time.sleep(0.1)
            watch(found.group(0), name, began, options, child.pid)
        finally:
            child.terminate()
            child.wait(20)
    return 0


def watch(address: str, folder: str, began: float, options: argparse.Namespace, viewer: int) -> None:
    """Open the page, wait for the features, click, drag."""
    width, height = options.size
    with sync_playwright() as driver:
        browser = driver.chromium.launch_persistent_context(
            Path(folder) / "profile", executable_path=CHROMIUM, args=FLAGS, viewport={"width": width, "height": height}
        )
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#dsir-words:has-text('Click')", timeout=900_000)
        print(f"ready after {time.monotonic() - began:.0f} s")
        page.wait_for_timeout(2500)  # the views take their size
        box, waits = cell(page, 3), []
        for across, down in PLACES:
            before = pixels(page, box)
            click(page, 0, box["width"] * across, box["height"] * down)
            waits.append(1000 * wait_for_change(page, box, before))
            page.wait_for_timeout(1500)
            print(f"{waits[-1]:.0f} ms  {page.inner_text('#dsir-words')}", flush=True)
        print(f"click to changed pixels: median {np.median(waits):.0f} ms, least {min(waits):.0f} ms")
        drag(page, options.moves, options.seconds, viewer)
        if options.screenshot:
            page.screenshot(path=options.screenshot)
        browser.close()


def drag(page, moves: float, seconds: float, viewer: int) -> None:
    """Drag along a circle, count pictures and processor time."""
    box = cell(page, 0)
    middle, radius = (box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5), 0.12 * box["height"]
    spent = Spent(viewer)
    page.mouse.move(middle[0] + radius, middle[1])
    page.mouse.down()
    page.wait_for_timeout(700)
    page.evaluate(COUNT)
    spent.begin()
    began = time.monotonic()
    for number in range(round(moves * seconds)):
        turn = 2 * np.pi * number / moves / 3.0
        page.mouse.move(middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn))
        time.sleep(max(0.0, began + (number + 1) / moves - time.monotonic()))
    passed, counted = time.monotonic() - began, page.evaluate("window.dsirPictures")
    ours, browsers = spent.end()
    page.mouse.up()
    pictures = max(counted["views"][3], 1)
    print(f"dragged {passed:.1f} s, {number + 1} places, load {os.getloadavg()[0]:.1f}")
    print(f"answers told {counted['words']}, pictures by view {counted['views']}")
    print(f"{pictures / passed:.1f} pictures a second in the moving image's axial view; processor ms for each:")
    print(f"viewer {1000 * ours / pictures:.0f}, browser {1000 * browsers / pictures:.0f}")


class Spent:
    """Processor seconds of the viewer, and of the browser's processes."""

    def __init__(self, viewer: int) -> None:
        self.viewer = psutil.Process(viewer)
        self.browser = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]

    def begin(self) -> None:
        """From now on."""
        self._before = self._now()

    def end(self) -> tuple[float, float]:
        """Viewer and browser since then."""
        return tuple(after - before for after, before in zip(self._now(), self._before, strict=True))

    def _now(self) -> tuple[float, float]:
        return _seconds(self.viewer), sum(map(_seconds, self.browser))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    sys.exit(main())

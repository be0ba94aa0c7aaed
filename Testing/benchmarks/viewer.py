"""The viewer in headless Chromium: seconds until it can be asked, milliseconds from a click to changed pixels.

    python Testing/benchmarks/viewer.py t1.nii.gz t2.nii.gz --descriptor dsir --screenshot viewer.png

Needs Chromium, playwright and trame-slicer. Clicks go into the fixed image's axial view, 1280 x 720 pixels; changed are
those of the moving image's. The times include taking the pictures that show the change.
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
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "viewer")]

from browser import CHROMIUM, FLAGS, cell, click, pixels, wait_for_change  # noqa: E402

PLACES = ((0.52, 0.44), (0.44, 0.55), (0.58, 0.58), (0.48, 0.36), (0.40, 0.42), (0.60, 0.50))
"""Shares of the view's width and height."""


def main() -> int:
    """Start, click, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixed", type=Path)
    parser.add_argument("moving", type=Path)
    parser.add_argument("--descriptor", default="dsir")
    parser.add_argument("--screenshot", type=Path)
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
            watch(found.group(0), name, began, options.screenshot)
        finally:
            child.terminate()
            child.wait(20)
    return 0


def watch(address: str, folder: str, began: float, screenshot: Path | None) -> None:
    """Open the page, wait for the features, click."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch_persistent_context(
            Path(folder) / "profile", executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1280, "height": 720}
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
        if screenshot:
            page.screenshot(path=screenshot)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())

"""A viewer of its own process, a real headless Chromium in front of it, and what both are asked by the tests."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: no browser was driven")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: no browser was driven"),
    pytest.mark.browser,
]

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
MATCH = np.array([51, 255, 230])
"""Colour of the best match's cursor."""


@contextmanager
def viewer(folder: Path, words: Sequence[str]) -> Iterator[str]:
    """Start the viewer with these arguments; gives its address."""
    root = Path(__file__).resolve().parents[2] / "DSIRRegistration"
    words = [*words, "--no-browser", "--out", str(folder / "saved")]
    with (folder / "said.txt").open("w+") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "DSIRRegistrationLib.viewer", *words],
            cwd=folder, stdout=said, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        found = None
        for _ in range(240):
            time.sleep(0.5)
            text = (folder / "said.txt").read_text()
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+", text)
            if found or child.poll() is not None:
                break
        try:
            assert found, text
            yield found.group(0)
        finally:
            child.terminate()
            child.wait(20)


@contextmanager
def chromium(profile: Path, address: str, width: int = 1280, height: int = 720):
    """A page of the viewer; ``page.asked_for`` has every address it asked for."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=FLAGS, viewport={"width": width, "height": height}
        )
        page = browser.new_page()
        page.asked_for = []
        page.on("request", lambda request: page.asked_for.append(request.url))
        come_to_life(page, address)
        settled(page)  # the views take their size
        yield page
        browser.close()


def come_to_life(page, address: str) -> None:
    """Open the page; what the browser had to say is told if nothing appears."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for _ in range(4):  # a slow machine may lose the first connection
        page.goto(address)
        try:
            page.wait_for_selector("#dsir-words:has-text('Click')", timeout=40_000)
            return
        except playwright.TimeoutError:
            said.append(f"nothing after 40 s: {page.locator('body').inner_text()[:300]!r}")
    pytest.fail("The page did not come to life. The browser: " + "; ".join(said[-12:]))


def cell(page, number: int) -> dict[str, float]:
    """Where view ``number`` lies: fixed axial, coronal, sagittal, then moving."""
    return page.locator(".layout-grid-item").nth(number).bounding_box()


def pixels(page, box: dict[str, float]) -> np.ndarray:
    return np.asarray(Picture.open(io.BytesIO(page.screenshot(clip=box))).convert("RGB")).astype(int)


def cursor(page, number: int) -> np.ndarray | None:
    """Middle of the best match's cursor in a view, relative to its corner."""
    near = np.abs(pixels(page, cell(page, number)) - MATCH).max(-1) < 40
    return np.argwhere(near).mean(0)[::-1] if near.sum() > 4 else None


def click(page, number: int, x: float, y: float) -> tuple[float, float]:
    box = cell(page, number)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.up()
    return x, y


def settled(page, box: dict[str, float] | None = None, limit: float = 10.0) -> None:
    """Wait until the page, or this part of it, stands still for half a second."""
    start, box = time.monotonic(), box or {"x": 0, "y": 0, **page.viewport_size}
    before = pixels(page, box)
    while time.monotonic() - start < limit:
        page.wait_for_timeout(500)
        now = pixels(page, box)
        if np.abs(now - before).max() < 3:
            return
        before = now


def wait_for_change(page, box: dict[str, float], before: np.ndarray, limit: float = 15.0) -> float:
    """Seconds until pixels change."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        if np.abs(pixels(page, box) - before).max() > 60:
            return time.monotonic() - start
    raise AssertionError("the picture did not change")

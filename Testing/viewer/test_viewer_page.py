"""The page itself: what axe says of it, whether everything fits at three sizes, and what lies over the fixed scan."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
import pytest
from browser import NEEDED, cell, chromium, pixels, viewer, wait_for_change
from dsir.files.transforms import write_transform
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from scans import write_pair

pytestmark = NEEDED

SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("viewer")
    matrix = np.eye(4)
    matrix[0, 3] = 6.0
    write_transform(folder / "shift.h5", Transform((Linear(matrix),)))
    scans = [str(path) for path in write_pair(folder)]
    with viewer(folder, [*scans, "--descriptor", "mind", "--transform", str(folder / "shift.h5")]) as found:
        yield found


@pytest.fixture(scope="module")
def page(address: str, tmp_path_factory: pytest.TempPathFactory):
    with chromium(tmp_path_factory.mktemp("profile"), address) as found:
        yield found


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="axe-playwright-python is missing")
def test_axe_finds_no_serious_violation(page) -> None:
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    page.keyboard.press("?")
    page.wait_for_selector("#dsir-help")
    page.get_by_role("button", name="Jacobian", exact=True).click()
    page.wait_for_selector("#dsir-legend")
    found = page.evaluate("() => axe.run()")
    told = [(one["impact"], one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found["violations"]]
    print(f"axe {found['testEngine']['version']}: {len(found['passes'])} rules passed, {len(told)} violated: {told}")
    assert "color-contrast" in [one["id"] for one in found["passes"]]
    assert not [one for one in told if one[0] in SERIOUS]
    page.keyboard.press("Escape")
    page.get_by_role("button", name="after", exact=True).click()


def test_the_legend_of_a_map_covers_no_view_and_leaves_the_views_their_size(page) -> None:
    before = [cell(page, number) for number in range(6)]
    page.get_by_role("button", name="displacement", exact=True).click()
    page.wait_for_selector("#dsir-legend:has-text('mm')")
    page.wait_for_selector("#dsir-words:has-text('mm in the body')")
    assert [cell(page, number) for number in range(6)] == before
    legend = page.locator("#dsir-legend").bounding_box()
    assert legend["y"] + legend["height"] <= before[0]["y"] and legend["x"] >= before[0]["x"]
    page.get_by_role("button", name="after", exact=True).click()
    page.wait_for_selector("#dsir-legend", state="hidden")


def test_every_control_has_a_tip(page) -> None:
    bare = page.evaluate(
        """() => [...document.querySelectorAll('.dsir-page button, .dsir-page input, .dsir-page select')]
        .filter(e => !e.title && !e.closest('[title]')).map(e => e.outerHTML.slice(0, 160))"""
    )
    assert bare == []


def test_controls_are_reached_by_the_tab_key_and_show_it(page) -> None:
    page.locator("#dsir-window").focus()
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => { const e = document.activeElement, s = getComputedStyle(e);
                const name = e.id || e.innerText || e.getAttribute('aria-label');
                return [(name || '').trim(), s.outlineStyle, parseFloat(s.outlineWidth)] }"""
            )
        )
    names = {name for name, _style, _width in seen}
    assert {"dsir-descriptor", "dsir-threshold", "dsir-preset", "dsir-register", "dsir-scene", "curtain"} <= names
    ours = [one for one in seen if one[0].startswith("dsir-") or one[0] in ("after", "curtain")]
    assert all(style == "solid" and width >= 2 for _name, style, width in ours)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_everything_is_within_the_window(page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_timeout(1500)
    outside = page.evaluate(
        """() => ['button', 'input', 'select'].flatMap(kind => [...document.querySelectorAll(`.dsir-page ${kind}`)])
        .map(e => [e.id || e.innerText, e.getBoundingClientRect()])
        .filter(([_, r]) => r.width &&
          (r.left < 0 || r.top < 0 || r.right > innerWidth + 1 || r.bottom > innerHeight + 1))
        .map(([name, r]) => `${name}: ${r.left} ${r.top} ${r.right} ${r.bottom}`)"""
    )
    assert outside == []
    assert page.evaluate("e => e.scrollHeight <= e.clientHeight + 1", page.query_selector(".dsir-panel"))
    cells = [cell(page, number) for number in range(6)]
    assert min(box["height"] for box in cells) > 0.4 * size[1] and min(box["width"] for box in cells) > 0.2 * size[0]
    letters = page.evaluate("e => e.getBoundingClientRect().height", page.query_selector("#dsir-register"))
    assert letters >= 24 * size[1] / 1080 * 0.8  # controls grow with the screen
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_timeout(1500)


def test_the_curtain_is_dragged_and_moved_by_keys(page) -> None:
    box = cell(page, 0)
    page.get_by_role("button", name="curtain", exact=True).click()
    page.wait_for_timeout(1000)
    before = pixels(page, box)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 100, steps=6)
    page.mouse.up()
    wait_for_change(page, box, before)
    page.wait_for_function("() => Math.abs(document.querySelector('#dsir-curtain').value - 0.75) < 0.02")
    page.wait_for_timeout(800)
    before = pixels(page, box)
    page.keyboard.press("[")
    wait_for_change(page, box, before)
    page.keyboard.press("c")
    page.wait_for_selector("button[aria-pressed=true]:has-text('checkerboard')")
    page.keyboard.press("c")
    page.wait_for_selector("button[aria-pressed=true]:has-text('blend')")


def test_space_turns_from_after_to_before(page) -> None:
    box, before = cell(page, 0), pixels(page, cell(page, 0))
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.keyboard.press("Space")
    wait_for_change(page, box, before)
    page.wait_for_selector("button[aria-pressed=true]:has-text('before')")


def test_the_confidence_is_computed_when_it_is_asked_for_and_says_its_unit(page) -> None:
    page.get_by_role("button", name="confidence", exact=True).click()
    page.wait_for_selector("#dsir-legend:has-text('within 4 mm')", timeout=120_000)

"""The page in a real headless Chromium: click a voxel, and the picture changes where it must."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import numpy as np
import pytest
from browser import NEEDED, cell, chromium, click, cursor, pixels, viewer, wait_for_change
from PIL import Image as Picture
from scans import write_pair

pytestmark = NEEDED


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("viewer")
    with viewer(folder, [*map(str, write_pair(folder)), "--descriptor", "mind"]) as found:
        yield found


@pytest.fixture(scope="module")
def page(address: str, tmp_path_factory: pytest.TempPathFactory):
    with chromium(tmp_path_factory.mktemp("profile"), address) as found:
        yield found


def test_a_click_puts_the_match_under_the_pointer_in_the_other_image(page) -> None:
    box = cell(page, 3)
    hits, waits = 0, []
    for across, down in ((0.52, 0.44), (0.44, 0.55), (0.58, 0.58), (0.48, 0.36)):
        before = pixels(page, box)
        place = click(page, 0, box["width"] * across, box["height"] * down)
        waits.append(wait_for_change(page, box, before))
        page.wait_for_timeout(1500)
        found = cursor(page, 3)
        hits += found is not None and np.abs(found - place).max() < 10  # pixels; a voxel is about 6
    assert hits >= 3  # MIND takes some voxels for others, which is what the page is there to show
    assert min(waits) < 3.0  # a loaded test machine; the documents' figure is of an idle one
    print(f"click to changed pixels: {1000 * np.median(waits):.0f} ms")


def test_dragging_brings_new_answers_before_the_button_is_let_go(page) -> None:
    box, there = cell(page, 0), cell(page, 3)
    page.mouse.move(box["x"] + 160, box["y"] + 150)
    page.mouse.down()
    wait_for_change(page, there, pixels(page, there) * 0)
    page.wait_for_timeout(1000)
    for _ in range(2):
        before = pixels(page, there)
        box["x"] += 14
        page.mouse.move(box["x"] + 160, box["y"] + 150, steps=3)
        wait_for_change(page, there, before)
        page.wait_for_timeout(1000)
    page.mouse.up()


def test_the_box_says_whether_the_surroundings_have_a_say(page) -> None:
    click(page, 0, 12, 200)
    page.wait_for_selector("#dsir-words:has-text('The point')", timeout=30_000)  # the words of former clicks are gone
    click(page, 0, 170, 160)
    page.wait_for_selector("#dsir-words:has-text('Similarity')", timeout=30_000)
    together = page.inner_text("#dsir-words")
    box = page.get_by_label("with its surroundings")
    box.uncheck()
    page.wait_for_function("words => document.querySelector('#dsir-words').innerText != words", arg=together)
    box.check()
    page.wait_for_function("words => document.querySelector('#dsir-words').innerText == words", arg=together)


def test_the_air_is_refused_in_one_sentence(page) -> None:
    click(page, 0, 12, 200)
    page.wait_for_selector("#dsir-words:has-text('The point')", timeout=10_000)


def test_an_accepted_match_is_counted_and_can_be_undone_and_saved(page) -> None:
    click(page, 0, 170, 160)
    page.wait_for_selector("#dsir-accept:not([disabled])", timeout=10_000)
    page.click("#dsir-accept")
    page.wait_for_selector("text=1 accepted", timeout=10_000)
    page.click("#dsir-save")
    page.wait_for_selector("#dsir-words:has-text('landmarks.csv')", timeout=10_000)
    page.click("#dsir-undo")
    page.wait_for_selector("text=0 accepted", timeout=10_000)
    page.click("#dsir-redo")
    page.wait_for_selector("text=1 accepted", timeout=10_000)


def test_a_pair_can_be_renamed_visited_and_forgotten(page) -> None:
    name = page.get_by_label("Name of pair 1")
    name.fill("thalamus")
    name.press("Enter")
    page.wait_for_selector("[aria-label='Go to pair thalamus']", timeout=10_000)
    box = cell(page, 0)
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.wait_for_timeout(400)
    before = pixels(page, box)
    page.keyboard.press("PageUp")  # keys go to the pictures again once the name is given
    wait_for_change(page, box, before)
    page.wait_for_timeout(500)
    away = pixels(page, box)
    page.get_by_label("Go to pair thalamus").click()
    wait_for_change(page, box, away)
    page.get_by_label("Forget pair thalamus").click()
    page.wait_for_selector("text=0 accepted", timeout=10_000)
    page.keyboard.press("Control+z")
    page.wait_for_selector("[aria-label='Go to pair thalamus']", timeout=10_000)
    page.keyboard.press("u")  # the name
    page.wait_for_selector("[aria-label='Go to pair 1']", timeout=10_000)
    page.keyboard.press("u")  # the pair
    page.wait_for_selector("text=0 accepted", timeout=10_000)


def test_what_is_seen_is_saved_as_a_picture(page) -> None:
    page.click("#dsir-picture")
    page.wait_for_selector("#dsir-words:has-text('view_1.png')", timeout=10_000)
    file = re.search(r"/\S+view_1\.png", page.inner_text("#dsir-words")).group(0)
    saved, box = np.asarray(Picture.open(file)).astype(int), cell(page, 4)
    shown = pixels(page, {**box, "x": box["x"] + 60, "y": box["y"] + 60, "width": 200, "height": 200})
    left, top = round(box["x"] - cell(page, 0)["x"]) + 60, round(box["y"] - cell(page, 0)["y"]) + 60
    alike = [
        np.corrcoef(shown.ravel(), saved[top - dy : top - dy + 200, left - dx : left - dx + 200].ravel())[0, 1]
        for dy in range(4)
        for dx in range(4)  # the page's views stand a pixel or two farther apart
    ]
    assert shown.max() > 100 and max(alike) > 0.98


def test_the_pointers_place_and_value_are_written_while_it_moves(page) -> None:
    box = cell(page, 0)
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.wait_for_timeout(300)
    page.mouse.move(box["x"] + 160, box["y"] + 150)
    page.wait_for_selector("#dsir-where:has-text('value')", timeout=10_000)
    assert re.match(r"fixed: [RL] \d+\.\d\s+[AP] \d+\.\d\s+[SI] \d+\.\d mm", page.inner_text("#dsir-where"))


def test_keys_change_the_slice_and_show_their_card(page) -> None:
    box = cell(page, 0)
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.wait_for_timeout(500)
    before = pixels(page, box)
    page.keyboard.press("PageUp")
    wait_for_change(page, box, before)
    page.keyboard.press("?")
    page.wait_for_selector("#dsir-help:has-text('next slice')", timeout=10_000)
    page.keyboard.press("?")
    page.wait_for_selector("#dsir-help", state="hidden", timeout=10_000)


def test_a_right_drag_changes_the_picture(page) -> None:
    box = cell(page, 4)
    before = pixels(page, box)
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 220, box["y"] + 40, steps=4)
    page.mouse.up(button="right")
    wait_for_change(page, box, before)


def test_every_control_has_a_name_and_a_tip(page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.dsir-panel button, .dsir-panel input')]
        .filter(e => e.offsetParent && !(e.innerText || '').trim() && !e.getAttribute('aria-label')
          && !e.getAttribute('title')
          && !(e.labels && e.labels.length) && !e.getAttribute('aria-labelledby'))
        .map(e => e.outerHTML.slice(0, 160))"""
    )
    assert nameless == []
    assert page.locator("#dsir-accept").get_attribute("title")


def test_click_accept_refine_is_a_loop(page) -> None:
    """Register, accept a match, refine: each ends with the new result on the page and the last point asked again."""
    assert page.locator("#dsir-refine").is_disabled()
    page.locator("#dsir-preset").select_option("fast")
    page.click("#dsir-register")
    page.wait_for_selector("#dsir-words:has-text('Registered')", timeout=180_000)
    assert re.match(r"(PASS|CHECK|FAIL)", page.inner_text("#dsir-verdict"))
    whole = pixels(page, cell(page, 0))
    page.get_by_role("button", name="checkerboard").click()
    wait_for_change(page, cell(page, 0), whole)
    click(page, 0, 160, 170)
    page.wait_for_selector("#dsir-words:has-text('from where the transform puts it')", timeout=10_000)
    page.click("#dsir-accept")
    page.wait_for_selector("text=/1 accepted, \\d+\\.\\d mm apart/i", timeout=10_000)
    began = time.monotonic()
    page.click("#dsir-refine")
    page.wait_for_selector("#dsir-words:has-text('Refined')", timeout=180_000)
    print(f"refined in {time.monotonic() - began:.1f} s")
    assert re.search(r"pairs \d+\.\d → \d+\.\d mm", page.inner_text("#dsir-words"))
    page.wait_for_timeout(1500)
    assert cursor(page, 3) is not None  # the match of the last point, in the new picture


def test_nothing_is_asked_of_the_network(page) -> None:
    assert page.asked_for
    foreign = [url for url in page.asked_for if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)]
    assert not foreign


def test_reloading_and_a_second_tab_keep_the_session(page, address: str) -> None:
    page.reload()
    page.wait_for_selector("#dsir-window", timeout=60_000)
    page.wait_for_timeout(3000)
    assert pixels(page, cell(page, 0)).max() > 100  # pictures, and no blank page
    second = page.context.new_page()
    second.goto(address.split("?")[0])
    second.wait_for_selector("#dsir-window", timeout=60_000)
    cookies = [c for c in page.context.cookies() if c["name"] == "dsir"]
    assert cookies and cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Strict"
    second.close()


def test_without_the_token_nothing_is_shown(page, address: str) -> None:
    page.context.clear_cookies()
    stranger = page.context.new_page()
    stranger.goto(address.split("?")[0])
    stranger.wait_for_timeout(4000)
    assert stranger.locator("#dsir-register").count() == 0
    stranger.close()

"""The page in Chromium, as a reader uses it: pick, drop, click, drag, slide, compare, reload."""

import base64
import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote

import numpy as np
import pytest
from PIL import Image

from tests.browser import violations
from tests.look.conftest import NETWORK
from zfrepro import library
from zfrepro.look import sets
from zfrepro.render import mosaic

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAP = f"network={NETWORK}&image=sample:cat&layer=conv5&map=41"


@pytest.fixture(scope="module")
def visit(browser: Any, server: str) -> Iterator[Any]:
    """Opens the page at an address; in the end every request and error is looked at."""
    pages, requests, errors = [], [], []

    def opened(address: str = MAP, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}} | options)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(f"{server}/#{address}")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    refused = "Failed to load resource: the server responded with a status of 422"  # a bad upload
    assert [error for error in errors if not error.startswith(refused)] == []
    outside = [url for url in requests if not url.startswith((server, "blob:", "data:"))]
    assert not outside


def address(page: Any) -> dict[str, str]:
    return dict(parse_qsl(page.evaluate("location.hash.slice(1)")))


def until(page: Any, script: str, arg: Any = None) -> None:
    """Waits for it to be true; Playwright's own way needs what the page's policy forbids."""
    end = time.monotonic() + 20
    while not page.evaluate(script, arg):
        assert time.monotonic() < end, script
        page.wait_for_timeout(20)


def pixels(image: Any) -> np.ndarray:
    """What an <img> shows."""
    image.evaluate("each => each.decode()")
    content = image.evaluate(
        "each => { const c = document.createElement('canvas'); c.width = each.naturalWidth; "
        "c.height = each.naturalHeight; c.getContext('2d').drawImage(each, 0, 0); "
        "return c.toDataURL().split(',')[1]; }"
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def projection(page: Any) -> Any:
    found = page.locator("main .panel img[alt^='projection of']").first
    found.wait_for()
    return found


def expected(layer: str, number: int, **how: Any) -> np.ndarray:
    network = library.load(NETWORK)
    found = library.project(network, sets.photographs()["cat"], layer, number, **how)
    return (mosaic.signed(found.pixels) * 255).round().astype(np.uint8)


def test_it_opens_on_a_trained_network_and_a_photograph(visit: Any) -> None:
    page = visit("")
    page.locator(".cell[aria-pressed=true]").wait_for()
    now = address(page)
    assert now["image"] == "sample:cat"
    assert page.locator("#predictions li").count() == 5
    assert "sees 7 px" in page.locator("#strip button").first.inner_text()


def test_a_map_and_what_it_comes_from(visit: Any) -> None:
    page = visit(f"network={NETWORK}&layer=conv5")
    page.get_by_role("button", name="map 18, peak").click()
    page.get_by_role("heading", name="conv5 map 18").wait_for()
    assert address(page)["map"] == "18"
    assert np.array_equal(pixels(projection(page)), expected("conv5", 18))
    page.get_by_role("heading", name="The nine strongest images").wait_for()
    page.locator(".links li").first.wait_for()
    assert page.locator(".links li").count() <= 4  # the folder's
    page.get_by_role("button", name="The nine weakest instead").click()
    page.get_by_role("heading", name="The nine weakest peaks").wait_for()
    command = page.locator(".take code").first
    until(page, "document.querySelector('.take code').textContent.length > 9")
    assert command.inner_text().endswith("rendered_zfnet --layer conv5 --maps 18")
    with page.expect_download() as download:
        page.get_by_role("link", name="SVG").click()
    assert download.value.suggested_filename == "conv5-18-projection.svg"


def test_a_click_on_a_pixel_projects_from_there(visit: Any) -> None:
    page = visit()
    canvas = page.locator("main canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 1.5 / 6, "y": box["height"] * 0.5 / 6})
    page.get_by_text("The unit at row 0, column 1.").wait_for()
    assert (address(page)["row"], address(page)["column"]) == ("0", "1")
    assert np.array_equal(pixels(projection(page)), expected("conv5", 41, place=(0, 1)))
    page.go_back()
    page.get_by_text("Its peak, ").wait_for()
    assert np.array_equal(pixels(projection(page)), expected("conv5", 41))


def test_an_address_is_a_state(visit: Any) -> None:
    page = visit(f"{MAP}&row=0&column=1&contrast=shared")
    page.get_by_text("The unit at row 0, column 1.").wait_for()
    shown = pixels(projection(page))
    page.reload()
    page.get_by_text("The unit at row 0, column 1.").wait_for()
    assert np.array_equal(pixels(projection(page)), shown)
    assert "contrast=shared" in projection(page).get_attribute("src")


def test_a_picture_is_dropped_chosen_and_refused(visit: Any) -> None:
    page = visit()
    page.locator(".cell").first.wait_for()
    coffee = base64.b64encode(sets.photographs()["coffee"].read_bytes()).decode()
    page.evaluate(
        "content => { const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0)); "
        "const data = new DataTransfer(); data.items.add(new File([bytes], 'cup.jpg')); "
        "document.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true})); }",
        coffee,
    )
    until(page, "location.hash.includes('upload')")
    network = library.load(NETWORK)
    view = library.see(network, sets.photographs()["coffee"])
    page.locator("#predictions li", has_text=view.top(1)[0][0]).first.wait_for()
    assert np.array_equal(pixels(page.locator("#crop")), view.crop)
    page.locator("#file").set_input_files(
        {"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"<html>"}
    )
    page.get_by_role("alert").filter(has_text="a web page").wait_for()


def test_a_class_is_a_unit(visit: Any) -> None:
    page = visit(f"network={NETWORK}&layer=fc8")
    page.locator(".unit", has_text="snail").click()
    page.get_by_role("heading", name="fc8: snail").wait_for()
    assert np.array_equal(pixels(projection(page)), expected("fc8", int(address(page)["map"])))


def test_a_square_is_dragged(visit: Any) -> None:
    page = visit(f"{MAP}&view=cover&side=20")
    square = page.get_by_label("the grey square")
    page.get_by_text("its sum").wait_for()
    before = page.locator(".bars").nth(2).inner_text()
    board = page.locator(".board").bounding_box()
    square.hover()
    page.mouse.down()
    page.mouse.move(
        board["x"] + board["width"] * 0.28, board["y"] + board["height"] * 0.38, steps=5
    )
    page.mouse.up()
    until(page, "location.hash.includes('top=')")
    until(page, "before => document.querySelectorAll('.bars')[2]?.innerText !== before", before)
    now = address(page)
    network = library.load(NETWORK)
    covered = library.cover(
        network, sets.photographs()["cat"], int(now["top"]), int(now["left"]), 20
    )
    total = float(covered.activations("conv5")[41].sum())
    page.locator(".bars", has_text=f"{total:.3g}"[:3]).last.wait_for()
    small = page.locator(".bars").nth(2).inner_text()
    page.get_by_role("slider", name="Size").fill("40")
    until(page, "location.hash.includes('side=40')")
    until(page, "small => document.querySelectorAll('.bars')[2]?.innerText !== small", small)
    page.get_by_role("button", name="Compute the three maps").click()
    page.get_by_text("all places, CSV").wait_for()
    assert page.locator("figure img").count() == 3


def test_an_image_is_turned(visit: Any) -> None:
    page = visit(f"{MAP}&view=move")
    page.get_by_role("slider", name="Rotation").fill("90")
    until(page, "location.hash.includes('amount=90')")
    network = library.load(NETWORK)
    moved = library.move(network, sets.photographs()["cat"], "rotation", 90, ["conv1", "fc7"])
    page.locator(".bars", has_text=f"{moved.relative['fc7']:.3g}").wait_for()
    turned = (moved.crop * 255).round().astype(np.uint8)
    page.locator("img[alt='the image, 90° anticlockwise']").wait_for()
    assert np.array_equal(pixels(page.locator(".moved img")), turned)
    page.locator("svg.curves").wait_for()


def test_two_networks_side_by_side(visit: Any) -> None:
    page = visit(f"{MAP}&view=compare&other=rendered_alexnet")
    page.get_by_text("of the peaks over 4 images").wait_for()
    assert page.locator("article.panel").count() == 2
    page.locator("article.panel img[alt^='projections']").first.wait_for()
    page.locator("#other").select_option("tests.look.own_network:made")
    until(page, "location.hash.includes('own_network')")


def test_the_slider_goes_through_the_training(visit: Any, session: Any) -> None:
    page = visit(f"network={quote(session.names[-1])}&image=sample:cat&layer=conv2")
    slider = page.get_by_role("slider", name="Epoch")
    slider.wait_for()
    assert slider.evaluate("each => each.nextElementSibling.textContent") == "epoch 9"
    slider.fill("0")
    page.get_by_text("epoch 1", exact=True).wait_for()
    page.get_by_text(" after epoch 1").wait_for()


def test_the_keyboard_is_enough(visit: Any) -> None:
    page = visit()
    page.get_by_role("heading", name="conv5 map 41").wait_for()
    page.keyboard.press("ArrowRight")
    until(page, "!location.hash.includes('map=41')")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="conv5 map 41").wait_for()
    page.locator("main canvas").focus()
    page.keyboard.press("ArrowUp")
    page.get_by_text("The unit at row 0, column 1.").wait_for()
    until(page, "document.activeElement.tagName === 'CANVAS'")
    page.keyboard.press("ArrowUp")  # it is the first row
    page.keyboard.press("ArrowLeft")
    page.get_by_text("The unit at row 0, column 0.").wait_for()
    page.locator("#help").focus()
    page.keyboard.press("ArrowUp")
    until(page, "location.hash.includes('layer=fc6')")
    page.keyboard.press("2")
    square = page.get_by_label("the grey square")
    square.focus()
    page.keyboard.press("ArrowDown")
    until(page, "location.hash.includes('top=')")
    page.locator("#help").focus()
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("view", ["maps", "cover", "move", "compare"])
def test_nothing_is_inaccessible_nor_wider_than_the_screen(
    visit: Any, view: str, width: int, scheme: str
) -> None:
    page = visit(
        f"{MAP}&view={view}", viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page.wait_for_load_state("networkidle")
    assert violations(page) == set()
    assert page.evaluate("document.documentElement.scrollWidth") == width

"""The report page in Chromium: accessible, whole without a network, and usable by keyboard."""

from pathlib import Path
from typing import Any

import pytest

from pipelines import report as stage
from tests.browser import violations
from tests.report.studies import ZFNET, write_study
from zfrepro.report.page.build import build

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = write_study(
        tmp_path_factory.mktemp("study"), report="| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    )
    path = results / stage.OUT.name / "index.html"
    path.write_text(build(results).html)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_inaccessible_nor_wider_than_the_screen(
    browser: Any, page_file: Path, scheme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(page_file.as_uri())
    assert violations(page) == set()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


def test_a_phone_shows_our_numbers_and_says_that_there_are_more(
    browser: Any, page_file: Path
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_file.as_uri())
    number = page.locator(f'[data-key="table3/{ZFNET}/train_top1"]').bounding_box()
    assert number["x"] + number["width"] < 390
    cue = page.locator("#table3 .wider")
    assert cue.is_visible()
    page.set_viewport_size({"width": 1440, "height": 1000})
    assert not cue.is_visible()
    page.close()


def test_a_page_that_is_inaccessible_is_noticed(
    browser: Any, page_file: Path, tmp_path: Path
) -> None:
    html = page_file.read_text()
    broken = tmp_path / "broken.html"
    assert "--soft: #525d69" in html
    policy = html[html.index("<meta http-equiv") : html.index('<meta name="viewport"')]
    text = html.replace("--soft: #525d69", "--soft: #c9c9c9").replace(' lang="en"', "")
    broken.write_text(text.replace(policy, "").replace(" alt=", " data-alt="))
    page = browser.new_page()
    page.goto(broken.as_uri())
    assert violations(page) >= {"color-contrast", "html-has-lang", "image-alt"}
    page.close()


def test_nothing_is_asked_of_a_network_and_no_error_is_raised(
    browser: Any, page_file: Path, tmp_path: Path
) -> None:
    def asked(path: Path) -> tuple[list[str], list[str]]:
        page, requests, errors = browser.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")
        page.wait_for_function("[...document.images].every(each => each.complete)")
        page.close()
        return [url for url in requests if not url.startswith("data:")], errors

    assert asked(page_file) == ([page_file.as_uri()], [])
    leaking = tmp_path / "leaking.html"
    picture = '<img src="http://127.0.0.1:9/x.png" alt="x"></main>'
    leaking.write_text(page_file.read_text().replace("</main>", picture))
    _, errors = asked(leaking)
    assert any("Content Security Policy" in error for error in errors)  # which also stops it


def test_the_keyboard_is_enough(browser: Any, page_file: Path) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.goto(page_file.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    number = page.locator(f'[data-key="table3/{ZFNET}/train_top1"]')
    number.focus()
    page.keyboard.press("Enter")
    chosen = page.locator(".command.chosen code")
    chosen.wait_for()
    assert chosen.is_visible()
    assert chosen.inner_text() == number.get_attribute("data-command")
    page.locator(".zoom").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    before = page.locator("#lightbox-image").get_attribute("alt")
    page.keyboard.press("ArrowRight")
    assert page.locator("#lightbox-image").get_attribute("alt") != before
    page.keyboard.press("Escape")
    assert not dialog.count()
    assert page.evaluate("document.activeElement.className") == "zoom"  # of the last one shown
    page.locator("#theme").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.close()


def test_claims_are_filtered_by_verdict_and_the_address_keeps_it(
    browser: Any, page_file: Path
) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    claims = page.locator(".claim")
    verdicts = [claim.get_attribute("data-verdict") for claim in claims.all()]
    chosen = verdicts[0]
    page.locator(f".filter button[data-verdict='{chosen}']").click()
    page.get_by_text(f"{verdicts.count(chosen)} of {len(verdicts)} claims are shown").wait_for()
    page.reload()
    shown = [claim.get_attribute("data-verdict") for claim in claims.all() if claim.is_visible()]
    assert shown == [chosen] * verdicts.count(chosen)
    page.locator(".filter button").first.click()
    assert all(claim.is_visible() for claim in claims.all())
    page.goto("about:blank")
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page_file.as_uri())
    assert all(claim.is_visible() for claim in plain.locator(".claim").all())
    context.close()
    page.close()


def test_learning_curves_are_lines_with_names(browser: Any, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    lines = page.locator(".curves svg").first.locator("polyline title").all_text_contents()
    assert any(line.startswith(f"{ZFNET}: ") for line in lines)
    page.close()

"""What tests of pages in Chromium share."""

from typing import Any

SERIOUS = {"serious", "critical"}


def violations(page: Any) -> set[str]:
    """Rules of axe that the page breaks seriously, with all its details open."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(page).response
    assert len(found["passes"]) > 20  # it has looked
    return {each["id"] for each in found["violations"] if each["impact"] in SERIOUS}

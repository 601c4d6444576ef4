"""Fills the templates in, and writes numbers and Markdown as HTML."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from zfrepro.report.page import claims


def render(context: Mapping[str, Any], template: str = "page.html") -> str:
    """A template filled in; what is not ours is escaped."""
    environment = Environment(
        loader=PackageLoader("zfrepro.report.page"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "number": number, "markdown": markdown, "file": link, "drawing": claims.drawing,
        "effect": effect,
    }  # fmt: skip
    style, script = (_asset(environment, name) for name in ("style.css", "script.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(template).render(
        context,
        style=Markup(style),  # noqa: S704  both are this package's own
        script=Markup(script),  # noqa: S704
        policy=policy,
        recipe_of_claim=claims.recipe_id,
    )


def number(value: float | None, decimals: int = 1, sign: str = "") -> str:
    """A number with a true minus; nothing for None."""
    return "" if value is None else f"{value:{sign}.{decimals}f}".replace("-", "−")


def effect(value: float | None, sign: str = "+") -> str:
    """A number of any size with three digits; a whole one, where no sign is asked for, as it is."""
    if value is None:
        return ""
    if value == 0 or (not sign and float(value).is_integer()):
        return f"{value:.0f}".replace("-", "−")
    return f"{value:{sign}#.3g}".rstrip(".").replace("-", "−")


def link(name: str) -> str:
    """From the page to a file below results/."""
    return f"../{name}"


def markdown(text: str, title: str) -> Markup:
    """Markdown of a stage as HTML: its tables scroll, its own HTML is escaped.

    Args:
        title: names the tables.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    opening = Markup(  # of a table
        '<div class="scroll" role="region" aria-label="{}: what was found" tabindex="0"><table>'
    ).format(title)
    parser.add_render_rule("table_open", lambda *_: opening)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    parser.add_render_rule("th_open", lambda *_: '<th scope="col">')
    return Markup(parser.render(text))  # noqa: S704  the parser escapes


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None  # noqa: S101  it was given above
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    """As a content security policy names a style or a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

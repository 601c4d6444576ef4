"""The page's server: who may ask, and what an answer looks like that cannot be given.

What is still being made is answered with `ready: false` and how far it is (202); what cannot be
answered, with a status of 4xx and a sentence.
"""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from zfrepro.files import reason
from zfrepro.look import changing, exploring, set_answers
from zfrepro.look.session import Session, StillMaking

STATIC = Path(__file__).with_name("static")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
COOKIE = "zfrepro"


def create(session: Session, *, hosts: set[str], token: str | None = None) -> FastAPI:
    """The application.

    Args:
        hosts: names by which it may be asked, against pages elsewhere that rebind theirs.
        token: what an address must bear once; None: nothing.
    """
    app = FastAPI(title="zfrepro.look", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.session = session

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        if refused := _refused(request, hosts, token):
            return JSONResponse({"detail": refused}, 403)
        response = await answer(request)
        response.headers.update(HEADERS)
        if token and request.query_params.get("token"):
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        return response

    app.add_exception_handler(StillMaking, _not_yet)
    app.add_exception_handler(OSError, _failed)
    app.add_exception_handler(ValueError, _failed)
    for part in (exploring, set_answers, changing):
        app.include_router(part.router)

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/", StaticFiles(directory=STATIC), name="static")
    return app


def _not_yet(request: Request, error: Exception) -> Response:
    assert isinstance(error, StillMaking)  # noqa: S101  it is registered for these
    work = error.work
    share = work.done / work.total if work.total else 0.0
    return JSONResponse({"ready": False, "message": work.message, "progress": share}, 202)


def _failed(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, FileNotFoundError) else 422
    return JSONResponse({"detail": reason(error)}, status)


def _refused(request: Request, hosts: set[str], token: str | None) -> str:
    """Why a request is not answered; empty where it is."""
    if request.url.hostname not in hosts:
        return "this page is not to be had by that name"
    given = request.query_params.get("token") or request.cookies.get(COOKIE) or ""
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        return "the address lacks its token: take the whole one that the command printed"
    origin = request.headers.get("origin")
    if request.method == "POST" and origin and origin.split("://")[-1] != request.url.netloc:
        return "pictures are taken from this page alone"
    return ""

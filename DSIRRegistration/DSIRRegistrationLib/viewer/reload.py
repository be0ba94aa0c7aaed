"""Reloading and a second tab: the page takes the token out of its address, so the browser keeps it in a cookie."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

COOKIE = "dsir"
"""Its name; it ends with the browser, no script reads it, and no other site's page sends it."""

REFUSED = "This address is not that of the viewer that runs now; open the one that dsir view printed."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def remember(bound: Any, *, token: str) -> None:
    """Let whoever opened the page with its token open it again without, and tell all others that they may not.

    Args:
        bound: what trame hands over before the server starts; it has the aiohttp application.
        token: of this session.
    """

    @web.middleware
    async def again(request: web.Request, handler: Handler) -> web.StreamResponse:
        page = request.path in ("/", "/index.html")
        told, known = (
            secrets.compare_digest(said.get(name, "").encode(), token.encode())
            for said, name in ((request.query, "secret"), (request.cookies, COOKIE))
        )
        if page and not told:
            raise web.HTTPFound(f"/index.html?secret={token}") if known else web.HTTPForbidden(text=REFUSED)
        response = await handler(request)
        if page:
            response.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
        return response

    bound.app.middlewares.append(again)

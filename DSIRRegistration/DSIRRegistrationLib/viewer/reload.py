"""Reloading and a second tab: the page takes the token out of its address, so the browser keeps it in a cookie."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

COOKIE = "dsir"
"""Its name; it ends with the browser, no script reads it, and no other site's page sends it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def remember(bound: Any, *, token: str) -> None:
    """Let whoever opened the page with its token open it again without.

    Args:
        bound: what trame hands over before the server starts; it has the aiohttp application.
        token: of this session.
    """

    @web.middleware
    async def again(request: web.Request, handler: Handler) -> web.StreamResponse:
        page = request.path in ("/", "/index.html")
        known = secrets.compare_digest(request.cookies.get(COOKIE, ""), token)
        if page and "secret" not in request.query and known:
            raise web.HTTPFound(f"/index.html?secret={token}")
        response = await handler(request)
        if page and secrets.compare_digest(request.query.get("secret", ""), token):
            response.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
        return response

    bound.app.middlewares.append(again)

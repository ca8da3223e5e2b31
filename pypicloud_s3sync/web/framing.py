"""Forbid other sites to show the panel in a frame and to trick an admin into clicking its buttons."""

from __future__ import annotations

import re
from typing import Any

from pyramid.events import NewResponse

#: The routes and the files of this package, below any prefix.
OWN = re.compile(r"/(admin|static)/s3sync(/|$)")


def includeme(config: Any) -> None:
    """Protect this package's responses, and the pages of pypicloud that contain the panel."""
    config.add_subscriber(_protect_own, NewResponse)
    config.add_request_method(_protect_page, "s3sync_forbid_framing")


def _protect_own(event: Any) -> None:
    if OWN.search(event.request.path_info):
        _protect(event.response, "DENY", "'none'")


def _protect_page(request: Any) -> str:
    """Protect the page that is being rendered: its template calls this. Return an empty text."""
    request.add_response_callback(lambda request, response: _protect(response, "SAMEORIGIN", "'self'"))
    return ""


def _protect(response: Any, option: str, ancestors: str) -> None:
    response.headers.setdefault("X-Frame-Options", option)
    # A second policy does not replace the first: a browser applies both.
    response.headers.add("Content-Security-Policy", f"frame-ancestors {ancestors}")

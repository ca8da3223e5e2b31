"""Answer a script whose session has ended without making the browser ask for a password.

For pip, pypicloud answers 401 with a Basic challenge. If the request comes from a script, the browser opens
its own password dialog and the script waits for it, possibly forever.
"""

from __future__ import annotations

from typing import Any

from pyramid.httpexceptions import HTTPForbidden


def includeme(config: Any) -> None:
    """Add the view. Only the panel's script sends ``X-Requested-With: XMLHttpRequest`` to these paths."""
    config.add_exception_view(
        forbidden,
        context=HTTPForbidden,
        xhr=True,
        path_info=r"^/admin/s3sync(/|$)",
    )


def forbidden(request: Any) -> Any:
    """Return pypicloud's answer, 401 or 403, without the challenge."""
    response = request.forbid()
    response.headers.pop("WWW-Authenticate", None)
    return response

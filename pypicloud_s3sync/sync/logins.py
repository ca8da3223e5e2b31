"""Recognize the errors of databases that refuse a login, as after the rotation of a password."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: MySQL: access denied for the database, for the user, and for a user without a password.
#: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
MYSQL = {1044, 1045, 1698}
#: PostgreSQL: class 28, invalid authorization: https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRES = "28"
#: Messages of PostgreSQL, whose drivers give no code for a connection that fails, and of Redis.
MESSAGES = re.compile(
    r"authentication failed|no password supplied|role \"[^\"]*\" does not exist|is not permitted to log in"
    r"|\b(WRONGPASS|NOAUTH)\b|invalid (username-password pair|password)|Authentication required",
    re.IGNORECASE,
)


def is_login_failure(error: BaseException | None) -> bool:
    """Return whether an error, or one that caused it, says that a database refused the login."""
    return any(map(_is_refusal, _chain(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    pending = [error]
    while pending:
        each = pending.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            # SQLAlchemy keeps the driver's error in orig.
            pending += [each.__cause__, each.__context__, getattr(each, "orig", None)]


def _is_refusal(error: BaseException) -> bool:
    if type(error).__module__.partition(".")[0] == "botocore":
        return False
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if type(error).__name__ == "AuthenticationError" or str(code or "").startswith(POSTGRES):
        return True
    if error.args and error.args[0] in MYSQL:
        return True
    return MESSAGES.search(str(error)) is not None

"""Recognizing a refused login."""

from __future__ import annotations

import pymysql.err
import pytest
import redis.exceptions
from sqlalchemy.exc import OperationalError

from pypicloud_s3sync.exceptions import UnreachableError
from pypicloud_s3sync.sync.logins import is_login_failure
from support.fakes import refusal

POSTGRES = 'connection to server at "db" failed: FATAL:  password authentication failed for user "ppc"'


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.AuthenticationError("invalid password"),
        redis.exceptions.ResponseError("WRONGPASS invalid username-password pair or user is disabled."),
        redis.exceptions.ConnectionError("NOAUTH Authentication required."),
        pymysql.err.OperationalError(1045, "Access denied for user 'ppc'@'10.0.0.1' (using password: YES)"),
        OperationalError("connect", {}, Exception(POSTGRES)),
        Exception('FATAL:  role "ppc" does not exist'),
    ],
)
def test_each_database_says_it_in_its_own_way(error: Exception) -> None:
    assert is_login_failure(error)
    wrapped = UnreachableError("the database cannot be reached")
    wrapped.__cause__ = error
    assert is_login_failure(wrapped)


@pytest.mark.parametrize(
    "error",
    [
        None,
        redis.exceptions.ConnectionError("Error 111 connecting to cache:6379. Connection refused."),
        pymysql.err.OperationalError(2003, "Can't connect to MySQL server"),
        OperationalError("connect", {}, Exception("could not translate host name")),
        refusal("AccessDenied"),
    ],
)
def test_other_errors_are_no_refusals(error: Exception | None) -> None:
    assert not is_login_failure(error)

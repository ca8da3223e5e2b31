"""URLs of databases that hide a password in every way that a driver accepts."""

from __future__ import annotations

#: A part of the password in every URL below, and of no user, host or name.
SECRET = "hunter2"
#: Every driver parses URLs in its own way. redis-py uses urllib. SQLAlchemy 1.4 has a pattern of its own, in
#: which a password ends at the last "@", and a user at the first ":" or "/".
URLS = {
    "no user": f"redis://:{SECRET}@cache.example",
    "a port and a number": f"redis://:{SECRET}@cache.example:6379/0",
    "TLS": f"rediss://:{SECRET}@cache.example:6379/0",
    "a user": f"redis://app:{SECRET}@cache.example:6379",
    "a driver": f"postgresql+psycopg2://app:{SECRET}@db.example:5432/pypi",
    "an @ in the password": f"redis://app:x@{SECRET}@cache.example",
    "an @ at its end": f"redis://app:{SECRET}@@cache.example",
    "a % in it": f"redis://app:%41{SECRET}%40x@cache.example",
    "a : in it": f"redis://app:x:{SECRET}@cache.example",
    "a : at its start": f"redis://app::{SECRET}@cache.example",
    "a / in it": f"postgresql://app:x/{SECRET}@db.example/pypi",
    "a / at its end": f"postgresql://app:{SECRET}/@db.example/pypi",
    "a ? in it": f"postgresql://app:x?{SECRET}@db.example/pypi",
    "a # in it": f"postgresql://app:x#{SECRET}@db.example/pypi",
    "a space in it": f"postgresql://app:x {SECRET}@db.example/pypi",
    "punctuation in it": f"redis://app:!$&'()*+,;=~{SECRET}^|@cache.example",
    "quotes in it": f"redis://app:\"{SECRET}\\'@cache.example",
    "letters beyond ASCII": f"redis://app:pä{SECRET}ß@cache.example",
    "a user with an @": f"mysql+pymysql://app@server:{SECRET}@server.example/pypi",
    "a user with a %": f"mysql+pymysql://app%40server:{SECRET}@server.example/pypi",
    "IPv6": f"redis://:{SECRET}@[2001:db8::1]:6379/0",
    "two URLs": f"redis://a.example,redis://:{SECRET}@b.example",
    "a password in the query": f"redis://cache.example/0?password={SECRET}",
    "a password later in the query": f"postgresql://db.example/pypi?user=app&password={SECRET}&sslmode=require",
    "PASSWORD in the query": f"postgresql://db.example/pypi?PASSWORD={SECRET}",
    "sslpassword in the query": f"postgresql://db.example/pypi?sslpassword={SECRET}",
    "passwd in the query": f"mysql+pymysql://db.example/pypi?passwd={SECRET}",
    "pwd in the query": f"postgresql://db.example/pypi?pwd={SECRET}",
    "a token in the query": f"postgresql://db.example/pypi?auth_token={SECRET}",
    "a secret in the query": f"postgresql://db.example/pypi?client_secret={SECRET}",
    "an @ in a password in the query": f"redis://cache.example/0?password=x@{SECRET}",
    "a ? in a password in the query": f"redis://cache.example/0?password=x?{SECRET}",
    "a password in both": f"postgresql://app:{SECRET}@db.example/pypi?password={SECRET}",
}

"""Find the secrets in pypicloud's settings, and mask them in text that is printed, logged or shown.

Mask the values of a JSON document before they are serialized, and never the serialized text: a short password
may be a part of a field's name.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus

MASK = "********"
#: A secret that is this long is masked anywhere in a text.
LONG = 8
#: A secret that is shorter than this may be a part of any word: it is masked only where a secret is written.
SHORT = 4
#: The names of settings, options of a URL and environment variables that hold secrets.
NAMES = re.compile(
    r"(pass(wd|word|phrase)?|pwd|secret|token|credentials?|api_?key|key_string"
    r"|(access|account|encrypt|encryption|private|signing|validate)_key(_id)?)\d*$|^user\.",
    re.IGNORECASE,
)
#: Secrets that are found without knowing them: credentials in a URL, and what AWS quotes of a signed request.
PATTERNS = re.compile(
    r"(?<=://)(?:[^\s/?#'\"@]*@)+(?=[^\s@])"
    r"|(?<![\w-])(?P<header>(?:x-amz-(?:security-token|signature|credential)|signature|credential)['\"]?\s*[=:]"
    r"\s*['\"]?)[^\s'\"&,;)]+",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Return whether a setting with this name holds a secret."""
    return NAMES.search(name) is not None


def secrets_of(settings: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the secrets among settings, each as written, decoded and encoded.

    Parameters
    ----------
    settings : iterable of tuple
        Names and values. A value with a scheme is a URL: it is a secret if it contains a password.
    """
    found: dict[str, None] = {}
    for name, value in settings:
        text = str(value).strip()
        if "://" in text:
            found |= dict.fromkeys(_secrets_of_url(text))
        if is_secret_name(name) and text:
            found |= dict.fromkeys([text, *filter(None, text.splitlines())])
    return list(found)


def secrets_in_environment(variables: Mapping[str, str]) -> list[str]:
    """Return the secrets among the variables that pypicloud (``PPC_DB_URL`` is ``db.url``) and AWS read."""
    return secrets_of(
        (name.lower().removeprefix("ppc_").replace("_", ".", 1), value)
        for name, value in variables.items()
        if name.startswith(("PPC_", "AWS_"))
    )


def _secrets_of_url(url: str) -> Iterator[str]:
    """Yield a URL with a password, the password, and the parts that a driver may take for something else.

    The drivers disagree on where a password ends if it contains "@", "/", "?" or "#": here, it ends at the
    last "@". An error of urllib quotes what follows the first ":" as the port.
    """
    rest = url.partition("://")[2]
    userinfo, at, _ = rest.rpartition("@")
    password = userinfo.partition(":")[2]
    passwords = [password] if at and password else []
    query = rest.partition("?")[2]
    passwords += [value for name, value in parse_qsl(query) if is_secret_name(name)]
    passwords += [
        part.partition("=")[2] for part in query.split("&") if is_secret_name(part.partition("=")[0])
    ]
    if not passwords:
        return
    yield url
    for text in passwords:
        decoded = unquote(text)
        yield from (text, decoded, unquote_plus(text), quote(decoded, safe=""), quote(decoded))
        yield quote_plus(decoded)
        yield from (part for part in re.split(r"%\(\w*\)s|[/@:?#%\s]", text) if len(part) >= SHORT)


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets: the given ones, and credentials in URLs.

    A secret is also found if a JSON document or Python's ``repr`` has escaped it. One of less than four
    characters is masked only where a secret is written, for example before the "@" of a URL.
    """
    known = tuple(secrets)
    if text in known and text:
        return MASK
    pattern = _pattern(known)
    if pattern is not None:
        text = pattern.sub(MASK, text)
    return PATTERNS.sub(_mask_credentials, text)


def mask_values(value: Any, secrets: Iterable[str]) -> Any:
    """Return a JSON value in which every text is masked; the names of its fields stay as they are."""
    known = tuple(secrets)
    if isinstance(value, str):
        return mask(value, known)
    if isinstance(value, Mapping):
        return {name: mask_values(part, known) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(part, known) for part in value]
    return value


def _mask_credentials(match: re.Match[str]) -> str:
    header = match["header"]
    return f"{header}{MASK}" if header else f"{MASK}@"


@functools.lru_cache(maxsize=8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    spellings = {
        spelling
        for secret in filter(None, secrets)
        for spelling in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], ascii(secret)[1:-1])
    }
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    return re.compile("|".join(map(_expression, longest_first))) if longest_first else None


def _expression(secret: str) -> str:
    """Return the regular expression of a secret; the shorter it is, the clearer its context must be."""
    expression = re.escape(secret)
    if len(secret) >= LONG:
        return expression
    if len(secret) >= SHORT:
        before = r"(?<![\w-])" if secret[0].isalnum() else ""
        after = r"(?![\w-])" if secret[-1].isalnum() else ""
        return f"{before}{expression}{after}"
    return rf"(?<=[:='\"]){expression}(?=[@&'\"])"

"""Let pypicloud's server replace a row in Redis only if it has not changed since it was read.

The row is swapped by the function's own script, which a cluster can run, too. Then the lists and the summary
are written as pypicloud writes them. If the server ends in between, the file's event corrects them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from pypicloud.cache.redis_cache import RedisCache
from redis.exceptions import ResponseError

from .key_repairs import Choose, unused_names
from .redis_cache import dump_row, load_row
from .redis_commands import swap_script

LOG = logging.getLogger(__name__)
CACHE = RedisCache


def fetch_now(cache: Any, filename: str) -> Any | None:
    """Return a row as Redis has it."""
    return cache.fetch(filename)


def replace(cache: Any, package: Any, choose: Choose) -> bool:
    """Replace the row of a package, then write the lists of the names that it has and had.

    Returns
    -------
    bool
        False if the row has changed since it was read.
    """
    key = cache.redis_key(package.filename)
    before = cache.db.hgetall(key)
    row = load_row(cache, before)
    wanted = choose(row)
    after = {} if wanted is None else dump_row(cache, wanted)
    pipe = cache.db.pipeline()
    lists: Any = _Lists(pipe, key)
    try:
        if before != after and not cache.db.eval(*swap_script(key, before, after)):
            return False
    except ResponseError as error:
        # pypicloud itself needs no scripts. If Redis refuses its commands as well, their error is the reason.
        _warn(str(error))
        if before.keys() - after.keys():
            pipe.delete(key)
        lists = pipe
    if wanted is not None:
        RedisCache.save(cache, wanted, pipe=lists)
    pipe.execute()
    for name in unused_names(package, row, wanted):
        pipe = cache.db.pipeline()
        pipe.srem(cache.redis_filename_set(name), package.filename)
        pipe.scard(cache.redis_filename_set(name))
        if not pipe.execute()[1]:
            cache._delete_summary(name)
    return True


@functools.lru_cache(maxsize=8)
def _warn(error: str) -> None:
    """Warn once for each reason for which Redis does not run the script."""
    LOG.warning(
        "Redis does not run a script (%s): allow the server EVAL, DEL, HGET, HLEN and HSET, or a key that the"
        " function adds to a row at the same time may be lost",
        error,
    )


class _Lists:
    """A pipeline that leaves out a row."""

    def __init__(self, pipe: Any, key: str) -> None:
        self.pipe, self.key = pipe, key

    def hmset(self, key: str, values: Mapping[str, Any]) -> None:
        if key != self.key:
            self.pipe.hmset(key, values)

    def sadd(self, key: str, *values: str) -> None:
        self.pipe.sadd(key, *values)

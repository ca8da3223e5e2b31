"""Let pypicloud's server replace a row in Redis only if it has not changed since it was read.

The row is swapped by the function's own script, which a cluster can run, too. Then the lists and the summary
are written as pypicloud writes them. If the server ends in between, the file's event corrects them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypicloud.cache.redis_cache import RedisCache

from .key_repairs import REPLACE, Choose
from .redis_cache import dump_row, load_row
from .redis_commands import swap_script


def apply() -> None:
    """Add the method."""
    setattr(RedisCache, REPLACE, _replace)


def _replace(self: Any, package: Any, choose: Choose) -> bool:
    """Replace the row of a package, then write the lists of the names that it has and had."""
    key = self.redis_key(package.filename)
    before = self.db.hgetall(key)
    row = load_row(self, before)
    wanted = choose(row)
    after = {} if wanted is None else dump_row(self, wanted)
    if before != after and not self.db.eval(*swap_script(key, before, after)):
        return False
    if wanted is not None:
        pipe = self.db.pipeline()
        RedisCache.save(self, wanted, pipe=_Lists(pipe, key))
        pipe.execute()
    names = {known.name for known in (package, row) if known is not None}
    for name in names - {getattr(wanted, "name", None)}:
        pipe = self.db.pipeline()
        pipe.srem(self.redis_filename_set(name), package.filename)
        pipe.scard(self.redis_filename_set(name))
        if not pipe.execute()[1]:
            self._delete_summary(name)
    return True


class _Lists:
    """A pipeline that leaves out a row."""

    def __init__(self, pipe: Any, key: str) -> None:
        self.pipe, self.key = pipe, key

    def hmset(self, key: str, values: Mapping[str, Any]) -> None:
        if key != self.key:
            self.pipe.hmset(key, values)

    def sadd(self, key: str, *values: str) -> None:
        self.pipe.sadd(key, *values)

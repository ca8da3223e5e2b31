"""Regions to compare: a bucket and a cache each, without servers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pypicloud_s3sync.reconcile.models import Options, Reporter
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.regions.compare import compare
from pypicloud_s3sync.regions.models import Region
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from support.backends import Backend, Redis, Sql
from support.damage import put_row
from support.histories import Bucket, SequentialPool

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NAMES = ("us-east-1", "eu-west-1", "ap-south-1")


class SizedBucket(Bucket):
    """A bucket whose listing has sizes; an object's ETag is its content."""

    def __init__(self) -> None:
        super().__init__(Random(1))
        self.versions = {}
        self.heads: list[str] = []
        #: Called once, before the bucket is listed.
        self.before_listing: Callable[[], object] | None = None

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.heads.append(Key)
        return super().head_object(Bucket, Key)

    def paginate(self, Bucket: str, Prefix: str, **_: Any) -> Any:
        hook, self.before_listing = self.before_listing, None
        if hook is not None:
            hook()
        for page in super().paginate(Bucket, Prefix):
            for stored in page["Contents"]:
                current = self.current(stored["Key"])
                stored["Size"] = 0 if current is None else len(current.etag)
            yield page


class World:
    """A region: put and remove objects, sync the cache as the function does, and damage either."""

    def __init__(self, number: int, backend: type[Backend] = Sql, prefix: str = "") -> None:
        self.bucket = SizedBucket()
        self.backend = backend(Random(1))
        reader = ObjectReader(self.bucket)
        reader.pool = SequentialPool()
        self.adapter: Any = self.backend.adapter()
        syncer = Syncer(reader, self.adapter, f"packages-{number}", prefix, lambda seconds: None)
        name = NAMES[number]
        self.region = Region(f"{name}.ini", f"packages-{number}", name, syncer, self.bucket)
        self.prefix = prefix

    def put(self, key: str, content: str = "content", seconds: int = 0, **metadata: str) -> str:
        """Put an object; ``seconds`` is its time. Return its filename."""
        filename = key.rpartition("/")[2]
        name, _, version = filename.removesuffix(".zip").rpartition("-")
        metadata = {"name": name, "version": version, "summary": f"of {filename}"} | metadata
        modified = START + datetime.timedelta(seconds=seconds)
        kept = {name: value for name, value in metadata.items() if value}
        stored = StoredObject(self.prefix + key, content, None, modified, kept)
        self.bucket.versions[self.prefix + key] = [stored]
        return filename

    def remove(self, key: str) -> None:
        """Delete an object."""
        self.bucket.versions[self.prefix + key].append(None)

    def sync(self, *packages: str) -> None:
        """Make the cache equal to the bucket, or its rows of some packages."""
        self.backend.advance(100)
        options = Options(packages=frozenset(packages), max_deletions=lambda rows: rows)
        reconcile(self.region.syncer, self.bucket, options)
        self.backend.advance(100)
        self.bucket.heads.clear()

    def event(self, key: str) -> None:
        """Handle the event of a key, as the function does."""
        self.region.syncer.converge(self.region.bucket, [self.prefix + key])

    def row(self, filename: str) -> Any:
        """Return a row."""
        return self.backend.rows()[filename]


def differences(worlds: Sequence[World]) -> set[tuple[str, str, str]]:
    """Compare regions; return each difference as its kind, filename and region."""
    with compare([world.region for world in worlds], Reporter()) as comparison:
        found = [(it.kind.value, it.filename, region.region) for it, region in comparison.differences()]
        digests = {totals.digest for totals in comparison.totals}
        assert len(found) == sum(comparison.counts.values())
        assert len(found) == len(set(found))
        assert comparison.equal == (not found)
        assert not comparison.equal or len(digests) == 1, "equal regions have different digests"
        return set(found)


# Damage


def add(world: World, key: str) -> None:
    """Upload a file that is not replicated."""
    world.put(key)
    world.event(key)


def delete(world: World, key: str) -> None:
    """Delete a file, and do not replicate that."""
    world.remove(key)
    world.event(key)


def drop_row(world: World, key: str) -> None:
    """Lose the event of an upload."""
    (stored,) = world.bucket.versions[world.prefix + key]
    delete(world, key)
    world.bucket.versions[world.prefix + key] = [stored]


def overwrite(world: World, key: str, content: str = "another content") -> None:
    """Overwrite a file, and do not replicate that."""
    world.put(key, content, seconds=9, hash_sha256="5b")
    world.event(key)


def overwrite_without_event(world: World, key: str) -> None:
    """Overwrite a file, and lose the event."""
    world.put(key, "another content", seconds=9, hash_sha256="5b")


def change_row(world: World, key: str, **changes: Any) -> None:
    """Change the row of a file."""
    row = world.row(key.rpartition("/")[2])
    values = {"name": row.name, "version": row.version, "last_modified": row.last_modified} | changes
    data = {**row.data, **{name: values.pop(name) for name in ("path", "hash_sha256") if name in values}}
    if isinstance(world.backend, Redis):
        world.backend.db.srem(world.adapter.cache.redis_filename_set(row.name), row.filename)
    put_row(
        world.backend,
        world.adapter.cache.new_package(
            values["name"], values["version"], row.filename, values["last_modified"], row.summary, **data
        ),
    )


@dataclass(frozen=True)
class Damage:
    """Something that goes wrong with a file of a region, and the kinds of differences that it causes.

    Parameters
    ----------
    do : callable
        Takes the region and the key of the file.
    here, elsewhere : tuple of str
        The kinds of the differences in this region, and in each other one.
    is_new : bool
        Whether the file may not exist before.
    """

    do: Callable[[World, str], object]
    here: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    is_new: bool = False

    def make(self, worlds: Sequence[World], index: int, key: str) -> set[tuple[str, str, str]]:
        """Damage the file of a region; return what a comparison has to find."""
        if self.is_new:
            for world in worlds:
                if world.prefix + key in world.bucket.versions:
                    delete(world, key)
        self.do(worlds[index], key)
        filename, expected = key.rpartition("/")[2], set[tuple[str, str, str]]()
        for number, world in enumerate(worlds):
            for kind in self.here if number == index else self.elsewhere:
                # Two regions are compared with the first one.
                is_tie = kind == "different_content" and len(worlds) == 2
                region = worlds[1] if is_tie else world
                expected.add((kind, filename, region.region.region))
        return expected


DAMAGES = {
    "upload not replicated": Damage(add, elsewhere=("not_replicated",), is_new=True),
    "deletion not replicated": Damage(delete, here=("not_replicated",)),
    "lost event of an upload": Damage(drop_row, here=("missing_row",)),
    "lost event of a deletion": Damage(World.remove, here=("extra_row", "not_replicated")),
    "another content": Damage(overwrite, here=("different_content",)),
    "another content of the same size": Damage(
        lambda world, key: overwrite(world, key, "tnetnoc"), here=("different_content",)
    ),
    "another content and a lost event": Damage(
        overwrite_without_event, here=("different_content", "stale_row")
    ),
    "row of another key": Damage(
        lambda world, key: change_row(world, key, path=f"gone/{key.rpartition('/')[2]}"), here=("stale_row",)
    ),
    "row of another time": Damage(
        lambda world, key: change_row(world, key, last_modified=START + datetime.timedelta(days=1)),
        here=("stale_row",),
    ),
    "row of another version": Damage(
        lambda world, key: change_row(world, key, version="7"), here=("stale_row",)
    ),
    "row whose filename was split wrongly": Damage(
        lambda world, key: change_row(
            world, key, name=f"{world.row(key.rpartition('/')[2]).name}-1", version="0"
        ),
        here=("stale_row",),
    ),
    "row of another content": Damage(
        lambda world, key: change_row(world, key, hash_sha256="5c"), here=("stale_row",)
    ),
}

"""Whatever is damaged in some regions, a comparison finds exactly that."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.backends import Dynamo, Redis, Sql
from support.examples import long_examples
from support.regions import DAMAGES, World, differences

pytestmark = pytest.mark.untraced
FILES = [f"ab12/p{number}/p{number}-{version}.0.zip" for number in range(6) for version in (1, 2)]


@long_examples(10)
@given(rng=st.randoms(use_true_random=False))
def test_the_differences_found_are_exactly_those_made(rng: Random) -> None:
    worlds = [
        World(number, rng.choice((Dynamo, Redis, Sql)), rng.choice(("", "packages/")))
        for number in range(rng.choice((2, 2, 3)))
    ]
    for world in worlds:
        for key in FILES:
            world.put(key, hash_sha256="5a")
        world.sync()
    expected: set[tuple[str, str, str]] = set()
    log = []
    # Only older files: the summary of a project follows from its newest one.
    for key in rng.sample(FILES[::2], rng.randrange(len(FILES) // 2 + 1)):
        damage, index = rng.choice(sorted(DAMAGES)), rng.randrange(len(worlds))
        log.append(f"{worlds[index].region.region}: {damage} of {key}")
        expected |= DAMAGES[damage].make(worlds, index, key)
    for world in worlds:
        world.backend.advance(100)
    assert differences(worlds) == expected, "\n".join(log)

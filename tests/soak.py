"""Many histories, on every core: ``make soak`` (SOAK_ARGS="COUNT [SEED]", 100,000 from 0 on by itself)."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time

from support.histories import Backend, Dynamo, Redis, Sql, check

BACKENDS: tuple[type[Backend], ...] = (Dynamo, Redis, Sql)


def play(seed: int) -> str | None:
    """What went wrong in a seed's history; None where nothing did."""
    backend = BACKENDS[seed % len(BACKENDS)]
    try:
        check(seed, backend)
    except Exception as error:
        return f"{backend.__name__} {seed}: {type(error).__name__}: {error}"
    return None


def main(count: int = 100_000, seed: int = 0) -> int:
    """Play the histories of ``count`` seeds; the exit status says whether all of them held."""
    started, done, failed = time.monotonic(), 0, 0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for failure in pool.imap_unordered(play, range(seed, seed + count), chunksize=100):
            done += 1
            if failure is not None:
                failed += 1
                print(failure, flush=True)
            if done % 5000 == 0:
                print(f"{done:,} of {count:,}", flush=True)
    names = ", ".join(backend.__name__ for backend in BACKENDS)
    print(
        f"{done:,} histories of {names} from seed {seed}: {failed} failed, {time.monotonic() - started:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))

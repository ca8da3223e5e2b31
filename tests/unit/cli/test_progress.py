from __future__ import annotations

import pytest

from pypicloud_s3sync.cli.progress import amount


@pytest.mark.parametrize(
    ("done", "total", "seconds", "shown"),
    [
        (None, None, 9, ""),
        (0, None, 9, ""),
        (2, 6, 9, "(2 of 6)"),
        (0, 1000, 9, "░░░░░░░░░░░░░░░░░░░░ 0 of 1,000"),
        (500, 1000, 1, "██████████░░░░░░░░░░ 500 of 1,000"),
        (500, 1000, 5, "██████████░░░░░░░░░░ 500 of 1,000, 100/s, 5 s left"),
        (10, 1000, 100, "░░░░░░░░░░░░░░░░░░░░ 10 of 1,000, 0.10/s, 2 h 45 min left"),
        (300, 1000, 100, "██████░░░░░░░░░░░░░░ 300 of 1,000, 3/s, 3 min 53 s left"),
        (1000, 1000, 10, "████████████████████ 1,000 of 1,000, 100/s"),
        (12345, None, 10, "12,345, 1,234/s"),
        (1500, 1000, 10, "1,500, 150/s"),
    ],
)
def test_progress_has_a_bar_a_rate_and_the_time_left(
    done: int | None, total: int | None, seconds: float, shown: str
) -> None:
    assert amount(done, total, seconds) == shown

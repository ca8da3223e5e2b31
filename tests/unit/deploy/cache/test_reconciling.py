from __future__ import annotations

import pytest

from pypicloud_s3sync.deploy.cache.reconciling import check
from pypicloud_s3sync.exceptions import ReconcileError
from pypicloud_s3sync.reconcile.models import Report


@pytest.mark.parametrize(
    ("is_fan_out", "queued", "more", "message"),
    [
        (False, 0, 0, r"1 file could not be repaired \(x.zip: refused\)"),
        (False, 0, 4, r"5 files could not be repaired \(x.zip: refused\)"),
        (True, 0, 0, r"1 file could not be queued \(x.zip: refused\)"),
        (True, 7, 0, r"1 file could not be queued \(x.zip: refused\)"),
    ],
)
def test_the_error_counts_what_could_not_be_repaired_or_queued(
    is_fan_out: bool, queued: int, more: int, message: str
) -> None:
    report = Report(dry_run=False, is_fan_out=is_fan_out, queued=queued, more_failed=more)
    report.fail("x.zip", "refused")
    with pytest.raises(ReconcileError, match=message):
        check(report)

"""A build that cannot write its files is an error of one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import BundleSpec, build, host_target
from pypicloud_s3sync.exceptions import BundleError


def test_a_host_without_a_writable_temporary_directory_is_told_how_to_choose_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(BundleError, match=r"cannot build the bundle \(.*absent.*\): set TMPDIR") as refused:
        build(BundleSpec(host_target(), "dynamo"))
    assert "\n" not in str(refused.value)

"""ministack names AWS's services at once."""

from __future__ import annotations

import botocore.session
import pytest

from pypicloud_s3sync.devtools import ministack_process

router = pytest.importorskip("ministack.core.router")


def test_a_service_that_ministack_does_not_have_is_named_without_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router, ministack_process.NAMES, None)  # Fails if this version has no such name.
    monkeypatch.delattr(botocore.session.Session, "get_service_model")
    ministack_process.name_services()
    assert router._is_aws_service_name("application-autoscaling")
    assert not router._is_aws_service_name("no-service-of-aws")

"""The documents for S3 Batch Operations that the documentation shows are those that AWS takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.service_models import client_model

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "tests" / "batch_operations").glob("*.json"))


def document(name: str) -> Any:
    return json.loads((ROOT / "tests" / "batch_operations" / f"{name}.json").read_text())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_each_document_is_shown(path: Path) -> None:
    included = f"{{literalinclude}} ../tests/batch_operations/{path.name}\n"
    assert included in (ROOT / "docs" / "reconcile.md").read_text()


def test_the_job_is_one_that_botocore_accepts() -> None:
    job = document("job")
    client_model("s3control").check_arguments("create_job", job)
    assert job["Operation"]["LambdaInvoke"]["InvocationSchemaVersion"] == "2.0"


def test_the_role_may_do_what_the_job_needs() -> None:
    job, policy = document("job"), document("policy")
    assert job["RoleArn"].endswith("role/reconcile-by-batch-operations")
    invoke, read, write = policy["Statement"]
    assert invoke["Resource"] == [job["Operation"]["LambdaInvoke"]["FunctionArn"]]
    assert job["Manifest"]["Location"]["ObjectArn"].startswith(read["Resource"].removesuffix("*"))
    assert write["Resource"] == f"{job['Report']['Bucket']}/{job['Report']['Prefix']}/*"

"""The commands for the objects that were there before are what S3 Batch Replication takes."""

from __future__ import annotations

import json
import shlex

from pypicloud_s3sync.deploy.replication.batch import batch_jobs
from support.replication import EU, US, arn, region
from support.service_models import client_model


def test_each_command_has_the_arguments_of_create_job() -> None:
    jobs = batch_jobs([region(US), region(EU)])
    words = shlex.split(jobs[1]["command"])
    assert words[:7] == [
        "aws",
        "s3control",
        "create-job",
        "--region",
        "eu-west-1",
        "--account-id",
        "111122223333",
    ]
    options = dict(zip(words[5:-1:2], words[6:-1:2], strict=True))
    manifest = json.loads(options["--manifest-generator"])
    client_model("s3control").check_arguments(
        "create_job",
        {
            "AccountId": options["--account-id"],
            "Operation": json.loads(options["--operation"]),
            "ManifestGenerator": manifest,
            "Report": json.loads(options["--report"]),
            "Priority": int(options["--priority"]),
            "RoleArn": options["--role-arn"],
            "ClientRequestToken": "the command line makes one",
        },
    )
    assert manifest["S3JobManifestGenerator"]["SourceBucket"] == arn(EU)
    assert words[-1] == "--no-confirmation-required"


def test_the_buckets_of_an_account_share_a_role_with_rights_on_all_of_them() -> None:
    first, second = batch_jobs([region(US), region(EU)])
    assert first["role"] == second["role"]
    by_sid = {statement["Sid"]: statement for statement in first["role"]["policy"]["Statement"]}
    assert by_sid["ReplicateOriginals"]["Resource"] == [f"{arn(US)}/*", f"{arn(EU)}/*"]
    assert by_sid["ListOriginals"]["Resource"] == [arn(US), arn(EU)]
    (us, eu) = batch_jobs([region(US), region(EU, account="444455556666")])
    assert us["role"]["arn"] != eu["role"]["arn"]
    assert us["role"]["policy"]["Statement"][1]["Resource"] == f"{arn(US)}/*"

"""Check the credentials and the bucket."""

from __future__ import annotations

from ...deploy.aws.denials import is_denied
from ...deploy.aws.errors import EXPIRED, REJECTED_CODES, SET_CREDENTIALS
from ...deploy.cache.tables import foreign_account
from ...deploy.location import missing_bucket, other_region
from ...deploy.problems import Problem
from ...exceptions import AwsError
from ..models import Facts, Finding, combined, failed, ok
from ..unread import statement

RENEW = "renew them, for example with `aws sso login`, and run it again"


def credentials(facts: Facts) -> Finding:
    """Check that the credentials work, and belong to the account of the bucket and the tables."""
    if isinstance(facts.identity.error, AwsError):
        return _unusable(facts.identity.error)
    identity, settings = facts.identity.get(), facts.settings
    origin = "from storage.aws_access_key_id" if settings.credentials else "from boto3's own search"
    findings = [ok(f"{identity.arn or identity.account} {origin}")]
    if facts.bucket.known is not None and facts.bucket.known.is_foreign:
        findings.append(
            failed(
                f"the bucket {settings.bucket} belongs to another account than {identity.account}",
                f"use credentials of the bucket's account: {SET_CREDENTIALS}",
            )
        )
    if isinstance(facts.tables_account.error, AwsError):
        return combined([_unusable(facts.tables_account.error), *findings])
    account = facts.tables_account.get()
    if account is not None and account != identity.account:
        findings.append(_of_problem(foreign_account(account, identity)))
    return combined(findings)


def _unusable(error: AwsError) -> Finding:
    message = str(error)
    cause = message.partition(": ")[0]
    if error.code in EXPIRED or "expired" in cause:
        return failed(cause, RENEW)
    if error.code in REJECTED_CODES or cause.startswith("no AWS credentials"):
        return failed(cause, SET_CREDENTIALS)
    return failed(message, "check the network, a proxy, or the VPC endpoint of sts on this host")


def bucket(facts: Facts) -> Finding:
    """Check that the bucket exists in the region of the settings, and may be listed."""
    settings, error = facts.settings, facts.bucket.error
    if isinstance(error, AwsError):
        remedy = "check the network between this host and S3"
        if is_denied(error):
            remedy = statement(error) or "ask the owner of the bucket to allow s3:ListBucket"
        return failed(str(error), remedy)
    region = facts.bucket.get().region
    if region is None:
        return _of_problem(missing_bucket(settings))
    if settings.region and region and region != settings.region:
        return _of_problem(other_region(settings, region))
    place = f"s3://{settings.bucket}/{settings.prefix}"
    return ok(f"{place} in {facts.region.get()}")


def _of_problem(problem: Problem) -> Finding:
    return failed(problem.message, problem.remedy)

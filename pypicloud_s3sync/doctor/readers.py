"""Read from AWS what only the examination needs; nothing here changes AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote_plus

from ..caches.canary import NAME
from ..config.settings import SyncSettings
from ..deploy.aws.clients import Clients
from ..deploy.readers.calls import Calls
from ..deploy.readers.replication import bucket_replication, bucket_versioning
from ..deploy.writers.calls import Calls as Invocation
from ..sync.keys import filename_of
from .models import BucketFacts, Decision, Destination, Probe, Sample
from .replication import Replication, parse

#: Files that are looked at: the newest and the oldest of the first page of the bucket.
SAMPLES = 8
#: Stands for the end of a name that a statement leaves open, since IAM simulates exact names only.
ANY_NAME = "pypicloud-s3sync-doctor"


def read_bucket(calls: Calls, bucket: str, region: str | None) -> BucketFacts:
    """Return the bucket although it may belong to another account; called after its owner was denied."""
    found = calls.find("s3", "head_bucket", f"the bucket {bucket}", action="s3:ListBucket", Bucket=bucket)
    if found is None:
        return BucketFacts(None)
    return BucketFacts(found.get("BucketRegion") or region or "", is_foreign=True)


def read_replication(calls: Calls, bucket: str) -> Replication | None:
    """Return the replication of a bucket, or None if it has no rules."""
    found = bucket_replication(calls, bucket)
    return None if found is None else parse(found)


def has_role(calls: Calls, name: str) -> bool:
    """Return whether a role exists."""
    return calls.find("iam", "get_role", f"the role {name}", RoleName=name) is not None


def read_destination(calls: Calls, bucket: str) -> Destination:
    """Return the bucket to which a rule replicates."""
    found = calls.find("s3", "head_bucket", f"the bucket {bucket}", action="s3:ListBucket", Bucket=bucket)
    if found is None:
        return Destination(exists=False)
    return Destination(True, bucket_versioning(calls, bucket), read_replication(calls, bucket))


def read_samples(calls: Calls, bucket: str, prefix: str) -> Sequence[Sample]:
    """Return the replication status of a few files: the newest and the oldest of a page of the bucket."""
    page = calls.find(
        *("s3", "list_objects_v2", f"the bucket {bucket}"),
        action="s3:ListBucket",
        Bucket=bucket,
        Prefix=prefix,
    )
    listed = [stored for stored in (page or {}).get("Contents", []) if filename_of(stored["Key"], prefix)]
    listed.sort(key=lambda stored: stored["LastModified"])
    half = SAMPLES // 2
    chosen = listed if len(listed) <= SAMPLES else [*listed[:half], *listed[-half:]]
    with ThreadPoolExecutor(SAMPLES) as pool:
        found = pool.map(lambda stored: _sample(calls, bucket, stored["Key"]), chosen)
        return [sample for sample in found if sample is not None]


def _sample(calls: Calls, bucket: str, key: str) -> Sample | None:
    resource = f"s3://{bucket}/{key}"
    head = calls.find("s3", "head_object", resource, action="s3:GetObject", Bucket=bucket, Key=key)
    if head is None:
        return None
    status, encryption = head.get("ReplicationStatus", ""), head.get("ServerSideEncryption", "")
    return Sample(key, head["LastModified"], status, encryption)


def simulate(calls: Calls, role_arn: str, policy: Mapping[str, Any]) -> Sequence[Decision]:
    """Return which of the actions of a policy a role may perform, as IAM simulates it.

    Statements with conditions are left out: a simulation would need the values that they compare.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    decisions: list[Decision] = []
    for statement in policy["Statement"]:
        if "Condition" in statement:
            continue
        resources = [_exact(resource) for resource in _listed(statement["Resource"])]
        found = calls.find(
            *("iam", "simulate_principal_policy", f"the role {role_arn}"),
            PolicySourceArn=role_arn,
            ActionNames=_listed(statement["Action"]),
            ResourceArns=resources,
        )
        decisions += _decisions((found or {}).get("EvaluationResults", []))
    return decisions


def _decisions(results: Iterable[Mapping[str, Any]]) -> Iterator[Decision]:
    for result in results:
        specific = result.get("ResourceSpecificResults") or [
            {
                "EvalResourceName": result.get("EvalResourceName", "*"),
                "EvalResourceDecision": result["EvalDecision"],
            }
        ]
        for found in specific:
            yield Decision(result["EvalActionName"], found["EvalResourceName"], found["EvalResourceDecision"])


def _exact(resource: str) -> str:
    """Return one of the resources that a pattern of this tool's policies matches."""
    name = resource.removesuffix("*") + ANY_NAME if resource.endswith("*") and resource != "*" else resource
    for character in "*?$":
        name = name.replace(f"${{{character}}}", character)
    return name


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def read_scaled(calls: Calls, tables: Iterable[str]) -> frozenset[str]:
    """Return which of the tables scale their write capacity automatically."""
    names = list(tables)
    found = calls.find(
        *("application-autoscaling", "describe_scalable_targets", f"the tables {', '.join(names)}"),
        ServiceNamespace="dynamodb",
        ResourceIds=[f"table/{name}" for name in names],
        ScalableDimension="dynamodb:table:WriteCapacityUnits",
    )
    targets = (found or {}).get("ScalableTargets", [])
    return frozenset(target["ResourceId"].removeprefix("table/") for target in targets)


def ask_function(clients: Clients, settings: SyncSettings, region: str, function: str) -> Probe:
    """Let the function look at a file that does not exist, as if it had been deleted.

    It reads the bucket and the cache from its own network, and writes nothing. ``function`` is its name or
    that of its alias.
    """
    event = {"Records": [_event(settings, region)]}
    calls = Invocation(clients)
    started = calls.clock()
    response = calls.invoke(clients.invoker(settings.timeout), function, event)
    milliseconds = round((calls.clock() - started) * 1000)
    if "FunctionError" not in response:
        return Probe(milliseconds)
    answer = json.loads(response["Payload"].read() or b"null") or {}
    return Probe(milliseconds, str(answer.get("errorMessage") or response["FunctionError"]))


def _event(settings: SyncSettings, region: str) -> dict[str, Any]:
    key = f"{settings.prefix}{NAME}/{NAME}-0.tar.gz"
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventName": "ObjectRemoved:Delete",
        "s3": {"bucket": {"name": settings.bucket}, "object": {"key": quote_plus(key, "/")}},
    }

"""Read which customer-managed KMS keys encrypt the function's secrets."""

from __future__ import annotations

from ..desired.policy import ANY_KEY
from ..models import Desired
from .calls import Calls


def key_arn(calls: Calls, key: str, resource_arn: str) -> str | None:
    """Return the ARN of the customer-managed key that encrypts a resource; None for AWS's own key.

    Parameters
    ----------
    calls : Calls
    key : str
        The key as a service shows it: its ARN, its id or an alias; empty for the service's default.
    resource_arn : str
        The ARN of what it encrypts; a key that has no ARN is one of the same account and region.
    """
    if not key or ":alias/aws/" in f":{key}":
        return None
    if "alias/" in key:
        found = calls.do("kms", "describe_key", f"the KMS key {key}", KeyId=key)
        return str(found["KeyMetadata"]["Arn"])
    _, partition, _, region, account, *_ = resource_arn.split(":")
    return key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/{key}"


def find_secret_key(calls: Calls, desired: Desired) -> str | None:
    """Return the ARN of the key of the user's own secret; None for AWS's own key, or without a secret.

    Another account need not let the operator look at its secret: the key is not known then.
    """
    arn = desired.secret_arn
    if arn is None:
        return None
    _, _, _, region, account, *_ = arn.split(":")
    if account != desired.function.arn.split(":")[4]:
        return ANY_KEY
    there = Calls(calls.clients.in_region(region))
    found = there.find("secretsmanager", "describe_secret", f"the secret {arn}", SecretId=arn)
    # Secrets Manager leaves the field out for its own key: botocore, secretsmanager 2017-10-17.
    return key_arn(there, (found or {}).get("KmsKeyId", ""), arn)

"""Let the roles use the customer-managed KMS keys that others chose for what the function uses.

AWS's own keys need no right: their policies let everybody in the account use them through the service whose
resource they may use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..desired.policy import allow, parameter_arn
from ..models import Desired, Identity, Observed, Role


def with_keys(role: Role, desired: Desired, observed: Observed) -> Role:
    """Return the function's role with the right to use the keys of the queue and of its secrets."""
    statements = (
        _key_of_queue(observed),
        _key_of_parameter(desired, observed),
        _key_of_secret(desired, observed),
    )
    return _with(role, *statements)


def with_key_of_queue(role: Role, observed: Observed) -> Role:
    """Return a role that sends to the queue with the right to use the queue's key."""
    return _with(role, _key_of_queue(observed))


def _with(role: Role, *statements: Iterator[dict[str, Any]]) -> Role:
    added = [statement for some in statements for statement in some]
    if role.policy is None or not added:
        return role
    return replace(role, policy={**role.policy, "Statement": [*role.policy["Statement"], *added]})


def _key_of_queue(observed: Observed) -> Iterator[dict[str, Any]]:
    """Yield the right to use the key that someone set on the queue.

    Lambda receives from the queue, and sends failed events to it, with the function's role:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    A policy names a key by its ARN, or by its alias in a condition:
    https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    queue = observed.delivery_resources.queue
    key = queue.attributes.get("KmsMasterKeyId") if queue is not None else None
    if queue is None or not key or key.endswith("alias/aws/sqs"):
        return
    _, partition, _, region, account, _ = queue.arn.split(":")
    keys = f"arn:{partition}:kms:{region}:{account}:key/"
    alias = key[key.index("alias/") :] if "alias/" in key else None
    condition: dict[str, Any] = {"StringLike": {"kms:ViaService": f"sqs.{region}.*"}}
    if alias is not None:
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": alias}
    resource = f"{keys}*" if alias is not None else key if key.startswith("arn:") else keys + key
    yield {
        **allow("UseKeyOfQueue", ["kms:Decrypt", "kms:GenerateDataKey"], resource),
        "Condition": condition,
    }


def _key_of_parameter(desired: Desired, observed: Observed) -> Iterator[dict[str, Any]]:
    """Yield the right to decrypt the parameter.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
    """
    found = observed.parameter
    if desired.parameter is not None and found is not None and found.key is not None:
        _, partition, _, region, account, *_ = desired.function.arn.split(":")
        arn = parameter_arn(found.name, region, Identity(account, partition))
        yield _decryption("DecryptParameter", found.key, f"ssm.{region}.*", {"PARAMETER_ARN": arn})


def _key_of_secret(desired: Desired, observed: Observed) -> Iterator[dict[str, Any]]:
    """Yield the right to decrypt the user's own secret.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    secret = desired.secret_arn
    if secret is not None and observed.secret_key is not None:
        service = f"secretsmanager.{secret.split(':')[3]}.*"
        yield _decryption("DecryptSecret", observed.secret_key, service, {"SecretARN": secret})


def _decryption(sid: str, key: str, service: str, context: dict[str, str]) -> dict[str, Any]:
    """Return the right to decrypt with a key what has this encryption context, through one service only."""
    condition = {
        "StringEquals": {f"kms:EncryptionContext:{name}": value for name, value in context.items()},
        "StringLike": {"kms:ViaService": service},
    }
    return {**allow(sid, ["kms:Decrypt"], key), "Condition": condition}

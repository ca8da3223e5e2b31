"""Read the Lambda function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import AwsError
from ..aws.denials import DENIED_CODES, denied
from ..models import Function
from ..snap_start import ON
from .calls import Calls

#: The field of a function's network that someone may have set.
IPV6 = "Ipv6AllowedForDualStack"


def find_function(calls: Calls, name: str) -> Function | None:
    """Return a function with the part of its configuration that this tool manages; None if it does not exist.

    Raises
    ------
    AwsError
        Also if the caller may read the function but not its tags or its environment.
    """
    found = calls.find("lambda", "get_function", f"the function {name}", FunctionName=name)
    if found is None:
        return None
    configuration = found["Configuration"]
    _refuse_unreadable_tags(name, found)
    _refuse_unreadable_environment(name, configuration)
    return Function(
        name=name,
        arn=configuration["FunctionArn"],
        configuration=managed(configuration),
        tags=found.get("Tags") or {},
        code_sha256=configuration["CodeSha256"],
        failure=failure_of(configuration),
        package=configuration.get("PackageType", "Zip"),
        state=configuration.get("State", "Active"),
        reserved_concurrency=found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
    )


def _refuse_unreadable_tags(name: str, found: Mapping[str, Any]) -> None:
    """Raise an error if the tags cannot be read: without them, an own function looks like a foreign one."""
    if "TagsError" in found:
        code, reason = found["TagsError"]["ErrorCode"], found["TagsError"]["Message"]
        if code in DENIED_CODES:
            raise denied("lambda:ListTags", f"the function {name}", code, reason)
        message = f"lambda:ListTags on the function {name} failed: {code}: {reason}"
        raise AwsError(message, code, "lambda:ListTags")


def _refuse_unreadable_environment(name: str, configuration: Mapping[str, Any]) -> None:
    """Raise an error if the environment cannot be decrypted: it looks empty, and variables would be lost."""
    error = configuration.get("Environment", {}).get("Error")
    if error:
        code, reason = error.get("ErrorCode", ""), error.get("Message", "")
        key = configuration.get("KMSKeyArn", "")
        encrypted = f", which the key {key} encrypts," if key else ""
        message = f"the environment of the function {name}{encrypted} cannot be read ({code}: {reason})"
        raise AwsError(f"{message}: allow kms:Decrypt for the caller in IAM", code, "kms:Decrypt", key)


def failure_of(configuration: Mapping[str, Any]) -> str | None:
    """Return why a function or version cannot run or its last update failed; None if neither is the case."""
    if configuration.get("State") == "Failed":
        return str(configuration.get("StateReason") or "its creation failed")
    if configuration.get("LastUpdateStatus") == "Failed":
        return str(configuration.get("LastUpdateStatusReason") or "its last update failed")
    return None


def managed(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that this tool manages, with the API's names."""
    vpc, dead_letters = configuration.get("VpcConfig", {}), configuration.get("DeadLetterConfig") or {}
    snap_start = configuration.get("SnapStart") or {}
    return {
        "Description": configuration.get("Description", ""),
        "Role": configuration["Role"],
        "Runtime": configuration.get("Runtime"),
        "Handler": configuration.get("Handler"),
        "Architectures": configuration.get("Architectures", ["x86_64"]),
        "MemorySize": configuration["MemorySize"],
        "Timeout": configuration["Timeout"],
        "VpcConfig": {
            "SubnetIds": sorted(vpc.get("SubnetIds", [])),
            "SecurityGroupIds": sorted(vpc.get("SecurityGroupIds", [])),
            # Read so that it is kept: this tool never sets it.
            **({IPV6: True} if vpc.get(IPV6) else {}),
        },
        # An empty target is none.
        "DeadLetterConfig": {name: arn for name, arn in dead_letters.items() if arn},
        "Environment": configuration.get("Environment", {}).get("Variables", {}),
        # The status of the snapshot is no setting.
        **({"SnapStart": dict(ON)} if snap_start.get("ApplyOn") == ON["ApplyOn"] else {}),
    }

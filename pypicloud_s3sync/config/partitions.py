"""Look up AWS's partitions, such as China or GovCloud, and their regions in botocore's data."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from botocore.loaders import Loader


@dataclass(frozen=True)
class Partition:
    """A group of regions with accounts and credentials of its own.

    Parameters
    ----------
    name : str
        The name in ARNs, for example ``aws-cn``.
    region_pattern : str
        A regular expression that matches the names of its regions.
    default_region : str
        The region that answers for services that are global in the partition.
    suffixes : tuple of str
        The domains of its services, for example ``amazonaws.com.cn``.
    """

    name: str
    region_pattern: str
    default_region: str
    suffixes: tuple[str, ...]


@functools.cache
def partitions() -> tuple[Partition, ...]:
    """Return every partition that the installed botocore knows."""
    found = []
    for partition in Loader().load_data("partitions")["partitions"]:
        outputs = partition["outputs"]
        suffixes = (outputs["dnsSuffix"], outputs["dualStackDnsSuffix"])
        region = outputs["implicitGlobalRegion"]
        found.append(Partition(partition["id"], partition["regionRegex"], region, suffixes))
    return tuple(found)


def partition_of(region: str) -> Partition | None:
    """Return the partition of a region, or None if the name is not that of a region."""
    return next((each for each in partitions() if re.fullmatch(each.region_pattern, region)), None)


def region_of_arn(arn: str) -> str | None:
    """Return the default region of an ARN's partition, or None if the partition is not known."""
    name = arn.split(":")[1]
    return next((each.default_region for each in partitions() if each.name == name), None)


def parse_region(text: str) -> str:
    """Return a region's name, or raise ValueError with what is expected."""
    if partition_of(text) is None:
        raise ValueError("an AWS region, for example eu-west-1")
    return text


def is_host_of_aws(host: str) -> bool:
    """Return whether a host name is that of a service of AWS."""
    name = host.strip().lower().rstrip(".")
    return any(name.endswith(f".{suffix}") for partition in partitions() for suffix in partition.suffixes)

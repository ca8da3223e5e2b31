"""The ``s3sync.*`` options: name, conversion, default and one line of help for each."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyramid.settings import aslist

from .runtimes import ARCHITECTURES, FALLBACK_RUNTIME, RUNTIMES

PREFIX = "s3sync."
#: CloudWatch Logs takes no other retention: botocore, logs 2014-03-28, PutRetentionPolicy.
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


class Delivery(enum.StrEnum):
    """How S3's events reach the function."""

    DIRECT = "direct"
    SQS = "sqs"
    EVENTBRIDGE = "eventbridge"


@dataclass(frozen=True)
class Option:
    """One ``s3sync.*`` setting.

    Parameters
    ----------
    name : str
        Without the prefix.
    convert : callable
        From the ini's text to the value; raises ValueError with what is allowed.
    default : object
    help : str
        One line for the README.
    """

    name: str
    convert: Callable[[str], Any]
    default: Any
    help: str


def _matching(pattern: str, allowed: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(allowed)
        return text

    return convert


def _one_of(*allowed: Any) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        for value in allowed:
            if text == str(value):
                return value
        raise ValueError("one of " + ", ".join(map(str, allowed)))

    return convert


def _between(low: int, high: int, unit: str) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"a whole number of {unit} from {low} to {high}")
        return int(text)

    return convert


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for chunk in aslist(text) for word in chunk.split(",") if word)


def _tags(text: str) -> dict[str, str]:
    tags = {}
    for line in filter(None, (part.strip() for part in re.split(r"[\n,]", text))):
        key, separator, value = line.partition("=")
        if not separator or not key.strip():
            raise ValueError("lines of key=value")
        tags[key.strip()] = value.strip()
    return tags


_ARN = _matching(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "the ARN of an IAM role")
_BOUNDARY = _matching(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", "the ARN of an IAM policy")
URL = _matching(r"https?://[^\s/]+/?", "a URL, for example http://localhost:4566")
REGION = _matching(r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region, for example eu-west-1")

#: Every ``s3sync.*`` setting. Limits are those of botocore's model of Lambda, 2015-03-31.
OPTIONS = (
    Option(
        "function_name",
        _matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '-' and '_'"),
        "pypicloud_s3_sync",
        "Name of the Lambda function.",
    ),
    Option("role_arn", _ARN, None, "Run the function as this role and make none."),
    Option("region", REGION, None, "The function's region, which must be the bucket's; found by itself."),
    Option(
        "runtime",
        _one_of(*RUNTIMES),
        None,
        f"Lambda's Python; the host's where Lambda has it, else `{FALLBACK_RUNTIME}`.",
    ),
    Option("architecture", _one_of(*ARCHITECTURES), "x86_64", "`x86_64` or `arm64`."),
    Option(
        "memory_size", _between(128, 10240, "MB"), 512, "Memory of the function in MB, and with it its CPU."
    ),
    Option("timeout", _between(1, 900, "seconds"), 60, "Seconds that one event may take."),
    Option(
        "log_retention_days", _one_of(*RETENTION_DAYS), 30, "Days that CloudWatch keeps the function's log."
    ),
    Option("vpc_subnet_ids", _words, (), "Subnets, where the cache is only reachable inside a VPC."),
    Option("vpc_security_group_ids", _words, (), "Security groups of the function in that VPC."),
    Option(
        "delivery",
        _one_of(*Delivery),
        Delivery.DIRECT,
        "How S3's events reach the function: `direct`, `sqs` or `eventbridge`.",
    ),
    Option(
        "extra_packages", _words, (), "More installed packages for the bundle: a cache class of your own."
    ),
    Option("permissions_boundary", _BOUNDARY, None, "ARN of a policy that bounds the role that is made."),
    Option("tags", _tags, {}, "`key=value` lines, for everything that is made."),
    Option("bundle", str, None, "A ready zip, a path or `s3://bucket/key`, instead of building one."),
    Option("endpoint_url", URL, None, "Address of an AWS emulator; `AWS_ENDPOINT_URL` does the same."),
)

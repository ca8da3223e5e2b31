"""Define the ``s3sync.*`` options: name, conversion, default and one line of help for each."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pyramid.settings import aslist, falsey, truthy

from .partitions import parse_region
from .runtimes import ARCHITECTURES, FALLBACK_RUNTIME, RUNTIMES

PREFIX = "s3sync."
#: The values of ``s3sync.secrets`` besides the ARN of a secret.
SSM, ENVIRONMENT = "ssm", "environment"
#: The ARN of a secret with the six characters that Secrets Manager appends to its name.
SECRET_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}")
#: The only values that CloudWatch Logs accepts: botocore, logs 2014-03-28, PutRetentionPolicy.
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
    """An ``s3sync.*`` setting.

    Parameters
    ----------
    name : str
        The name without the prefix.
    convert : callable
        Converts the text of the ini file to the value, or raises ValueError with a phrase that says what is
        expected.
    default : object
    help : str
        One line for the documentation.
    """

    name: str
    convert: Callable[[str], Any]
    default: Any
    help: str


def _matching(pattern: str, expected: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(expected)
        return text

    return convert


def _one_of(*values: Any) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        for value in values:
            if text == str(value):
                return value
        raise ValueError("one of " + ", ".join(map(str, values)))

    return convert


def _between(low: int, high: int, unit: str) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"a whole number of {unit} from {low} to {high}")
        return int(text)

    return convert


def _boolean(text: str) -> bool:
    if text.lower() not in (*truthy, *falsey):
        raise ValueError("true or false")
    return text.lower() in truthy


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


def _secret_store(text: str) -> str:
    if text not in (SSM, ENVIRONMENT) and SECRET_ARN.fullmatch(text) is None:
        raise ValueError(f"{SSM}, {ENVIRONMENT}, or the ARN of a secret of Secrets Manager")
    return text


def _ready_zip(text: str) -> str:
    if "://" in text and re.fullmatch(r"s3://[^/]+/.+", text) is None:
        raise ValueError("the path of a zip, or s3://bucket/key")
    return text


_ROLE = _matching(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "the ARN of an IAM role")
_POLICY = _matching(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", "the ARN of an IAM policy")
#: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
_SCHEDULE = _matching(
    r"rate\([1-9]\d* (minute|hour|day)s?\)|cron\([^\s()]+( [^\s()]+){5}\)",
    "rate(VALUE UNIT) or cron(...) with six fields, for example rate(1 day)",
)
_ADDRESS = _matching(r"https?://[^\s/]+/?", "a URL, for example http://localhost:4566")


def parse_endpoint(text: str) -> str:
    """Return the address of a service, or raise ValueError."""
    try:
        parts = urlsplit(text)
        is_complete = parts.hostname is not None and parts.port != 0
    except ValueError:
        is_complete = False
    return _ADDRESS(text if is_complete else "")


#: Every ``s3sync.*`` setting. The limits are those of botocore's model of Lambda, 2015-03-31.
OPTIONS = (
    Option(
        "function_name",
        _matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '-' and '_'"),
        "pypicloud_s3_sync",
        "Name of the Lambda function.",
    ),
    Option("role_arn", _ROLE, None, "ARN of an existing IAM role for the function; no role is created."),
    Option(
        "region",
        parse_region,
        None,
        "Region of the function and the bucket. The default is the bucket's region.",
    ),
    Option(
        "runtime",
        _one_of(*RUNTIMES),
        None,
        "Python runtime of the function. The default is the server's version of Python if Lambda supports it"
        f" for at least a year, otherwise `{FALLBACK_RUNTIME}`. With an emulator, it is the server's version"
        " of Python.",
    ),
    Option("architecture", _one_of(*ARCHITECTURES), "x86_64", "The processor: `x86_64` or `arm64`."),
    Option(
        "memory_size",
        _between(128, 10240, "MB"),
        512,
        "Memory of the function in MB. More memory also means more CPU.",
    ),
    Option("timeout", _between(1, 900, "seconds"), 60, "Time limit of one invocation in seconds."),
    Option(
        "snap_start",
        _boolean,
        False,
        "Whether Lambda starts the function from a snapshot (SnapStart). It needs `python3.12` or newer.",
    ),
    Option(
        "log_retention_days",
        _one_of(*RETENTION_DAYS),
        None,
        "Number of days that CloudWatch keeps the function's log. The default is 30 for a new log group; an"
        " existing one stays as it is.",
    ),
    Option(
        "vpc_subnet_ids",
        _words,
        (),
        "IDs of the subnets for the function, if the cache can only be reached inside a VPC.",
    ),
    Option("vpc_security_group_ids", _words, (), "IDs of the function's security groups in the VPC."),
    Option(
        "delivery",
        _one_of(*Delivery),
        Delivery.DIRECT,
        "How S3's events reach the function: `direct`, `sqs` or `eventbridge`.",
    ),
    Option(
        "maximum_concurrency",
        _between(2, 1000, "invocations"),
        None,
        "How many invocations may handle the queue of events at the same time. The default is 2 if a DynamoDB"
        " table has provisioned capacity, 20 if the tables are on-demand, and 5 for other caches.",
    ),
    Option(
        "extra_packages",
        _words,
        (),
        "Names of more installed packages to bundle, for example what a custom cache class imports.",
    ),
    Option(
        "permissions_boundary", _POLICY, None, "ARN of a permissions boundary for the role that is created."
    ),
    Option("tags", _tags, {}, "Tags for the created resources, one `key=value` per line."),
    Option(
        "bundle",
        _ready_zip,
        None,
        "Path or `s3://bucket/key` of a ready zip to deploy. By default, the bundle is built.",
    ),
    Option(
        "secrets",
        _secret_store,
        SSM,
        "Where the function finds the settings that hold a password: `ssm` (an encrypted parameter, which is"
        " created), the ARN of a secret of yours in Secrets Manager, or `environment` (its environment).",
    ),
    Option(
        "reconcile_schedule",
        _SCHEDULE,
        None,
        "When the function compares the bucket with the cache by itself, as an expression of EventBridge"
        " Scheduler, for example `rate(1 day)`. By default, it does not.",
    ),
    Option(
        "reconcile_on_start",
        _boolean,
        True,
        "Whether a server that starts compares the bucket with the cache in the background, and repairs the"
        " cache if they differ.",
    ),
    Option(
        "endpoint_url",
        parse_endpoint,
        None,
        "Address of an AWS emulator. The environment variable `AWS_ENDPOINT_URL` has the same effect.",
    ),
)

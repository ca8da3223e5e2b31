"""Build the addresses of resources in AWS's console."""

from __future__ import annotations

from urllib.parse import quote

from ..models import Plan
from ..snap_start import ALIAS

#: The console's host in each partition; a partition that is not listed gets no links.
HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def console_url(plan: Plan, kind: str) -> str | None:
    """Return the address of a resource's page, or None if the console has no page for it.

    Parameters
    ----------
    plan : Plan
    kind : str
        A kind of resource, for example ``function`` or ``log group``.
    """
    desired = plan.desired
    host = HOSTS.get(desired.function.arn.split(":")[1])
    page = _pages(plan).get(kind)
    if host is None or page is None:
        return None
    return f"https://{host}/{page}"


def metrics_url(plan: Plan) -> str | None:
    """Return the address of the function's charts."""
    url = console_url(plan, "function")
    return None if url is None else f"{url}?tab=monitoring"


def _pages(plan: Plan) -> dict[str, str]:
    names, region, bucket = plan.desired.names, plan.desired.region, plan.desired.bucket
    resources = plan.observed.delivery_resources
    log_group = _nested(names.log_group)
    parameter = quote(names.parameter, safe="")
    function = f"lambda/home?region={region}#/functions/{names.function}"
    pages = {
        "role": f"iam/home#/roles/details/{plan.desired.role_arn.rsplit('/', 1)[-1]}",
        "log group": f"cloudwatch/home?region={region}#logsV2:log-groups/log-group/{log_group}",
        "parameter": f"systems-manager/parameters/{parameter}/description?region={region}",
        "function": function,
        "alias": f"{function}/aliases/{ALIAS}",
        "event source mapping": f"{function}?tab=configure",
        "permission": f"{function}?tab=configure",
        "rule": f"events/home?region={region}#/eventbus/default/rules/{names.rule}",
        "schedule role": f"iam/home#/roles/details/{names.schedule_role}",
        "schedule": f"scheduler/home?region={region}#schedules/default/{names.schedule}",
        "notification": f"s3/buckets/{bucket}?region={region}&tab=properties",
    }
    for kind, queue in (("queue", resources.queue), ("dead-letter queue", resources.dead_letters)):
        if queue is not None:
            pages[kind] = f"sqs/v3/home?region={region}#/queues/{quote(queue.url, safe='')}"
    return pages


def _nested(text: str) -> str:
    """Return a text as CloudWatch's console expects it in a fragment: quoted twice, with ``$`` for ``%``."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")

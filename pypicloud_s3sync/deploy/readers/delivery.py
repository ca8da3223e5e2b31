"""Read the resources between the bucket and the function, only for deliveries that may have some.

With ``direct`` delivery, the caller needs no permission to read queues or rules, because the function's tag
says which other deliveries may have resources.
"""

from __future__ import annotations

from ...config.options import Delivery
from ..delivery import deliveries_of
from ..models import SWITCH_TAG, DeliveryResources, Desired, Function
from .calls import Calls
from .queues import find_mapping, find_queue
from .rules import find_rule, other_rules


def find_delivery_resources(
    calls: Calls, desired: Desired, function: Function | None, *, enabling: bool
) -> DeliveryResources:
    """Return the existing resources of the desired delivery and of previous ones.

    Parameters
    ----------
    calls : Calls
    desired : Desired
    function : Function or None
        The function in AWS; its tag names the previous deliveries.
    enabling : bool
        Whether the plan is to enable; if it removes the rule, other rules are read as well.
    """
    deliveries, names = {desired.delivery} | deliveries_of(function), desired.names
    has_queue, has_rule = Delivery.SQS in deliveries, Delivery.EVENTBRIDGE in deliveries
    rule = find_rule(calls, names.rule) if has_rule else None
    removes_rule = not (enabling and desired.delivery is Delivery.EVENTBRIDGE)
    needs_others = rule is not None and SWITCH_TAG in rule.tags and removes_rule
    return DeliveryResources(
        queue=find_queue(calls, names.queue) if has_queue else None,
        dead_letters=find_queue(calls, names.dead_letters) if has_queue else None,
        mapping=(
            find_mapping(calls, names.queue, desired.owner.queue_arn, desired.function.arn)
            if has_queue
            else None
        ),
        rule=rule,
        other_rules=tuple(other_rules(calls, desired.bucket, names.rule)) if needs_others else (),
    )

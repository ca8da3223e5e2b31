"""Read the resources between the bucket and the function."""

from __future__ import annotations

from ...config.options import Delivery
from ..desired.delivery import deliveries_of, has_switch
from ..models import DeliveryResources, Desired, Function
from ..snap_start import qualified
from .calls import Calls
from .queues import find_mapping, find_queue
from .rules import find_rule, other_rules


def find_delivery_resources(
    calls: Calls, desired: Desired, function: Function | None, *, enabling: bool
) -> DeliveryResources:
    """Return the existing resources of the desired delivery and of previous ones.

    The rule is read only if it may exist, so that other deliveries need no permission to read rules. If the
    function was deleted by hand, the queue's tag tells.

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
    queue = find_queue(calls, names.queue)
    may_have_rule = Delivery.EVENTBRIDGE in deliveries or has_switch(queue)
    rule = find_rule(calls, names.rule) if may_have_rule else None
    removes_rule = not (enabling and desired.delivery is Delivery.EVENTBRIDGE)
    needs_others = any(map(has_switch, (rule, function, queue))) and removes_rule
    queue_arn = desired.delivery_resources.queue.arn if desired.delivery_resources.queue else ""
    return DeliveryResources(
        queue=queue,
        dead_letters=find_queue(calls, names.dead_letters),
        mapping=find_mapping(calls, names.queue, queue_arn, _invoked(desired)),
        rule=rule,
        other_rules=tuple(other_rules(calls, desired)) if needs_others else (),
    )


def _invoked(desired: Desired) -> tuple[str, ...]:
    """Return what the mapping may invoke: the function or its alias, the desired one first."""
    arns = desired.function.arn, qualified(desired.function.arn)
    return tuple(sorted(arns, reverse=desired.snap_start))

"""Check the function, its runtime and its code, and that the bucket's events reach it."""

from __future__ import annotations

from collections.abc import Iterator

from ...config.options import Delivery
from ...config.runtimes import DEPRECATION, deprecation, updates_blocked
from ...deploy import notifications
from ...deploy.desired.tags import OWNER_TAG
from ...deploy.models import Action, DeliveryResources, Desired, Function, Observed, Plan
from ...deploy.plan.alias import alias_actions
from ...deploy.plan.conflicts import is_owned
from ...deploy.plan.delivery import delivery_actions, notification_actions, queue_actions
from ...deploy.plan.function import function_actions
from ...deploy.plan.permissions import permission_actions
from ...deploy.state.code_state import state_of_code
from ...deploy.state.differences import LABELS, visible
from ...deploy.state.health import paused_problems
from ...exceptions import NotReadError, S3SyncError
from ...sync.counts import count_of
from ..models import Facts, Finding, combined, failed, ok, warning
from ..unread import unread

MAPPING = "event source mapping"
#: The field by which Lambda learns which messages of a batch have failed:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
REPORTS = "FunctionResponseTypes"
ENABLE = "run `ppc-s3sync enable`"
UPDATE = "run `ppc-s3sync plan` to see the difference, and `ppc-s3sync enable` to apply the settings"


def observed(facts: Facts) -> Observed:
    """Return what is known of AWS, as the planner takes it; what is unknown looks as if it were missing."""
    return Observed(
        role=facts.role.known,
        given_role=None,
        log_group=None,
        function=facts.function.known,
        statements=facts.statements.known or (),
        notifications=dict(facts.notifications.known or {}),
        delivery_resources=facts.delivery.known or DeliveryResources(),
        published=facts.published.known,
        parameter=facts.parameter.known,
        secret_key=facts.secret_key.known,
    )


def owned_function(facts: Facts) -> Function:
    """Return the function, or raise NotReadError if there is none that this tool created for the bucket."""
    function = facts.function.get()
    if function is None or not is_owned(function, facts.settings.bucket):
        raise NotReadError(f"there is no function {facts.settings.function_name} of this tool for the bucket")
    return function


def notification(facts: Facts) -> Finding:
    """Check that the bucket's notifications have the exact entry, and that the events reach the function."""
    desired, configuration = facts.desired.get(), facts.notifications.get()
    wanted = desired.subscription
    if wanted.entry is not None:
        other = notifications.overlapping(configuration, desired.owner, wanted.entry)
        if other is not None:
            return failed(
                f"another notification of the bucket {desired.bucket} takes the same events, which S3 allows"
                f" only once: {other}",
                f"narrow or remove that notification, then {ENABLE}",
            )
    actions = list(notification_actions(desired, observed(facts)))
    if actions:
        return failed(_of_notification(actions[0], desired.bucket), ENABLE)
    findings = [*_readable(_permission(facts)), *_readable(_rule_and_queues(facts))]
    foreign = len(notifications.foreign_entries(configuration, desired.owner))
    others = f"; {count_of(foreign, 'other notification')}" if foreign else ""
    return combined([ok(f"{_entry(facts)}{others}"), *findings])


def _readable(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings; if a part of them could not be read, that is one of them."""
    try:
        yield from findings
    except NotReadError:
        return
    except S3SyncError as error:
        yield unread(error)


def _of_notification(action: Action, bucket: str) -> str:
    if action.verb == "create":
        return f"the bucket {bucket} has no notification for the function, so no event reaches it"
    return f"the notification of the bucket {bucket} for the function differs from what it needs"


def _entry(facts: Facts) -> str:
    desired = facts.desired.get()
    if desired.delivery is Delivery.EVENTBRIDGE:
        return f"the bucket {desired.bucket} sends its events to EventBridge, rule {desired.names.rule}"
    entry = next(notifications.owned_entries(facts.notifications.get(), desired.owner))
    target = entry.get("LambdaFunctionArn") or entry.get("QueueArn")
    return f"{entry.get('Id', 'an entry')} sends {', '.join(entry['Events'])} to {target}"


def _permission(facts: Facts) -> Iterator[Finding]:
    desired = facts.desired.get()
    facts.statements.get()
    facts.published.get()
    for action in permission_actions(desired, observed(facts)):
        how = "may not invoke" if action.verb == "create" else "may invoke only in part"
        yield failed(f"S3 {how} the function: the permission {action.name} is missing or differs", ENABLE)


def _rule_and_queues(facts: Facts) -> Iterator[Finding]:
    desired = facts.desired.get()
    facts.delivery.get()
    actions = (*delivery_actions(desired, observed(facts)), *queue_actions(desired, observed(facts)))
    for action in actions:
        if action.resource == MAPPING:
            continue
        state = "does not exist" if action.verb == "create" else f"differs ({_fields(action)})"
        finding = failed if _stops_events(action, desired.delivery) else warning
        yield finding(f"the {action.resource} {action.name} {state}", UPDATE)


def _stops_events(action: Action, delivery: Delivery) -> bool:
    """Return whether no event reaches the queue because of a difference."""
    if action.verb == "create" or action.resource == "rule":
        return True
    # With direct delivery, it is Lambda that sends to the queue, by the rights of the function's role.
    policies = [change for change in action.changes if change.field == "Policy"]
    return action.resource == "queue" and bool(policies) and delivery is not Delivery.DIRECT


def function(facts: Facts) -> Finding:
    """Check that the function exists, can run, and has the settings of the ini file."""
    desired, found = facts.desired.get(), facts.function.get()
    name = facts.settings.function_name
    if found is None:
        return failed(f"the function {name} does not exist in {desired.region}: S3 sync is off", ENABLE)
    if not is_owned(found, desired.bucket):
        owner = found.tags.get(OWNER_TAG)
        of = f"serves the bucket {owner}" if owner else "was not created by this tool"
        take = "" if owner else ", or take it over with `ppc-s3sync enable -f`"
        return failed(f"the function {found.arn} {of}", f"choose another name with -n{take}")
    return combined(_of_function(facts, found))


def _of_function(facts: Facts, found: Function) -> Iterator[Finding]:
    desired, state = facts.desired.get(), found.state
    memory, timeout = (found.configuration.get(field) for field in ("MemorySize", "Timeout"))
    yield ok(f"{found.arn}, {state.lower()}, {memory} MB, {timeout} s")
    if found.failure is not None:
        yield failed(f"the function cannot run: {found.failure}", f"remove the cause, then {ENABLE}")
    elif state == "Inactive":
        yield warning(
            "the function was idle for weeks, so Lambda made it inactive: its next event is late",
            "nothing: the next event, or `ppc-s3sync doctor --canary`, makes it active again",
        )
    elif state != "Active":
        yield warning(f"the function is {state.lower()}", "run it again in a minute")
    seen = observed(facts)
    # Problems of the delivery are those of a delivery that could be read.
    for problem in paused_problems(Plan((), desired, seen)):
        yield failed(problem.message, problem.remedy)
    if facts.delivery.error is None and seen.delivery_resources.mapping is None:
        queue = desired.names.queue
        yield failed(f"Lambda does not read the queue {queue}: its event source mapping is missing", ENABLE)
    yield from _of_mapping(desired, seen)
    statistics = facts.statistics.known
    if statistics is not None and statistics.throttles:
        invocations = count_of(statistics.throttles, "invocation")
        yield warning(
            f"Lambda throttled {invocations} in the last 24 hours, so events wait",
            "raise the account's quota of concurrent executions, or the function's reserved concurrency",
        )
    if facts.role.error is not None or facts.delivery.error is not None:
        return
    actions = tuple(function_actions(desired, seen, force=False))
    for action in actions:
        if action.resource == "function" and action.verb == "update" and _fields(action):
            yield warning(f"the function differs from the settings ({_fields(action)})", UPDATE)
    yield from _alias(facts, seen, actions)


def _alias(facts: Facts, seen: Observed, actions: tuple[Action, ...]) -> Iterator[Finding]:
    """Yield what is known of the alias that S3 and the queue invoke, if the function has SnapStart."""
    if facts.published.error is not None:
        yield unread(facts.published.error)
        return
    desired, published = facts.desired.get(), seen.published
    if published is None or not desired.snap_start:
        return
    for action in alias_actions(desired, seen, actions):
        if action.verb == "create":
            yield failed(f"the alias {action.name} does not exist, so nothing can invoke it", ENABLE)
        elif action.verb == "update":
            yield warning(f"the alias {action.name} differs ({_fields(action)})", UPDATE)
    if published.failure is not None:
        yield failed(f"the version of the alias cannot run: {published.failure}", ENABLE)
    elif published.state == "Inactive":
        yield warning(
            "the version of the alias was idle for two weeks, so Lambda deleted its snapshot: the next event"
            " is late",
            "nothing: the next event, or `ppc-s3sync doctor --canary`, makes Lambda take another one",
        )
    elif published.current is not None:
        yield ok(f"its alias points to version {published.current.number}, {published.state.lower()}")


def _of_mapping(desired: Desired, seen: Observed) -> Iterator[Finding]:
    """Yield what differs in the way Lambda reads the queue."""
    for action in delivery_actions(desired, seen):
        if action.resource != MAPPING or action.verb == "create":
            continue
        # A mapping that is disabled is a problem of its own.
        changes = tuple(change for change in visible(action.changes) if change.field != "Enabled")
        what = f"the event source mapping of the queue {action.name}"
        if any(change.field == REPORTS for change in changes):
            evidence = f"{what} does not have {REPORTS}, so Lambda deletes events that failed"
            yield failed(evidence, ENABLE)
        elif changes:
            fields = ", ".join(change.field for change in changes)
            yield warning(f"{what} differs from the settings ({fields})", UPDATE)


def _fields(action: Action) -> str:
    return ", ".join(LABELS.get(change.field, change.field) for change in visible(action.changes))


def runtime(facts: Facts) -> Finding:
    """Check when Lambda deprecates the function's runtime."""
    found = owned_function(facts)
    name = str(found.configuration.get("Runtime"))
    date = DEPRECATION.get(name)
    if date is None:
        supported = ", ".join(DEPRECATION)
        evidence = f"the function has the runtime {name}, on which this version does not run ({supported})"
        return failed(evidence, ENABLE)
    today = facts.now.date()
    notice = deprecation(name, today)
    if notice is None:
        return ok(f"{name}, which Lambda deprecates on {date}")
    message, _, remedy = notice.partition(": ")
    finding = failed if updates_blocked(name, today) else warning
    return finding(message, f"{remedy}, then {ENABLE}")


def bundle(facts: Facts) -> Finding:
    """Check that the function runs the package versions of the server."""
    found, fingerprint = owned_function(facts), facts.fingerprint.get()
    match state_of_code(found, fingerprint):
        case "current":
            return ok("the function runs the versions that are installed here")
        case "older":
            return warning("the function runs other versions than those that are installed here", ENABLE)
    return warning(
        "the function's code was not deployed by this tool", f"{ENABLE}, which replaces it by the server's"
    )

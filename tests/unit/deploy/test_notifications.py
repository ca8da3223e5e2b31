"""Merging our entry into a bucket's notifications: values in, values out."""

import copy
import json

import pytest

from pypicloud_s3sync.deploy import notifications
from pypicloud_s3sync.deploy.models import NotificationOwner, Subscription
from pypicloud_s3sync.deploy.notifications import replaced, same, subscribed, unsubscribed

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:sync"
OTHER = "arn:aws:lambda:eu-west-1:111122223333:function:other"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:queue"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:topic"
ID = "pypicloud-s3sync-sync"
OUR_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:sync"
MARK = NotificationOwner(ID, ARN, OUR_QUEUE)
OURS = notifications.entry(notifications.LAMBDA, ID, ARN, "")
OURS_BY_QUEUE = notifications.entry(notifications.QUEUE, ID, OUR_QUEUE, "")
BY_QUEUE = Subscription(notifications.QUEUE, OURS_BY_QUEUE)
BY_EVENTBRIDGE = Subscription(None, None, eventbridge=True)
#: What S3 gives back of a bucket that others use; spelling and order are S3's own.
FOREIGN = {
    "QueueConfigurations": [
        {
            "Id": "q",
            "QueueArn": QUEUE,
            "Events": ["s3:ObjectTagging:Put", "s3:ObjectTagging:Delete"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".log"}, {"Name": "Prefix"}]}},
        },
        {"Id": "YTk0", "QueueArn": QUEUE, "Events": ["s3:ObjectAcl:Put"]},
    ],
    "TopicConfigurations": [{"Id": "t", "TopicArn": TOPIC, "Events": ["s3:ObjectRestore:*"]}],
    "LambdaFunctionConfigurations": [
        {"Id": "l2", "LambdaFunctionArn": OTHER, "Events": ["s3:Replication:*"]},
        {"Id": "l1", "LambdaFunctionArn": OTHER, "Events": ["s3:ReducedRedundancyLostObject"]},
    ],
    "EventBridgeConfiguration": {},
}
#: What pypicloud's ppc-create-s3-sync left; S3 has given ids to what had none.
LEFT = [
    {"Id": "MzQ1", "LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"]},
    {"Id": "NjY2", "LambdaFunctionArn": ARN, "Events": ["s3:ObjectRemoved:*"]},
]


def entry(prefix):
    return notifications.entry(notifications.LAMBDA, ID, ARN, prefix)


def with_entry(configuration, ours=OURS):
    return subscribed(configuration, MARK, Subscription(notifications.LAMBDA, ours))


def without_entry(configuration):
    return unsubscribed(configuration, MARK)


def has_entry(configuration):
    return not same(configuration, without_entry(configuration))


def overlapping(configuration, ours=OURS):
    return notifications.overlapping(configuration, MARK, ours)


def foreign_count(configuration, *, eventbridge_is_ours=False):
    return notifications.foreign_count(configuration, MARK, eventbridge_is_ours=eventbridge_is_ours)


def lambdas(*items):
    return {"LambdaFunctionConfigurations": list(items)}


def filtered(**rules):
    listed = [{"Name": name, "Value": value} for name, value in rules.items()]
    return {"Filter": {"Key": {"FilterRules": listed}}}


def in_the_way(**fields):
    return {"Id": "theirs", "LambdaFunctionArn": OTHER, "Events": ["s3:ObjectCreated:*"], **fields}


def as_bytes(value):
    """Order of keys and lists, spelling and all."""
    return json.dumps(value).encode()


# What is put in and taken out


def test_our_entry_asks_for_everything_that_makes_an_object_appear_or_disappear():
    expected = {"s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"}
    assert set(entry("")["Events"]) == expected


def test_our_entry_is_filtered_on_the_prefix_and_not_at_all_without_one():
    assert entry("pkgs/")["Filter"] == {"Key": {"FilterRules": [{"Name": "prefix", "Value": "pkgs/"}]}}
    assert "Filter" not in entry("")


def test_with_our_entry_each_foreign_one_is_byte_for_byte_as_it_was():
    merged = with_entry(FOREIGN, OURS)
    for kind, items in FOREIGN.items():
        kept = [item for item in merged[kind] if item != OURS] if kind.startswith("Lambda") else merged[kind]
        assert as_bytes(kept) == as_bytes(items), kind
    assert set(merged) == set(FOREIGN)


def test_our_entry_is_put_in_once_however_often():
    once = with_entry(FOREIGN, OURS)
    assert as_bytes(with_entry(once, OURS)) == as_bytes(once)
    assert once["LambdaFunctionConfigurations"].count(OURS) == 1


def test_without_our_entry_the_foreign_configuration_is_byte_for_byte_what_it_was():
    bare = without_entry(with_entry(FOREIGN, OURS))
    for kind, items in FOREIGN.items():
        assert as_bytes(bare[kind]) == as_bytes(items), kind
    assert set(bare) == set(FOREIGN)


@pytest.mark.parametrize("kind", list(FOREIGN))
def test_a_bucket_with_one_kind_of_notification_only_gets_it_back(kind):
    configuration = {kind: FOREIGN[kind]}
    assert as_bytes(without_entry(with_entry(configuration, OURS))) == as_bytes(configuration)


def test_nothing_is_left_of_a_configuration_that_only_held_ours():
    assert without_entry(with_entry({}, OURS)) == {}


def test_merging_leaves_its_arguments_as_they_are():
    configuration = copy.deepcopy({**FOREIGN, **lambdas(*FOREIGN["LambdaFunctionConfigurations"], *LEFT)})
    before, ours_before = as_bytes(configuration), as_bytes(OURS)
    with_entry(configuration, OURS)
    without_entry(configuration)
    overlapping(configuration, OURS)
    assert as_bytes(configuration) == before
    assert as_bytes(OURS) == ours_before


def test_our_entry_of_before_makes_way_whatever_it_said():
    before = {"Id": ID, "LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:Put"], **filtered(prefix="x")}
    assert with_entry(lambdas(before), OURS) == lambdas(OURS)
    assert without_entry(lambdas(before)) == {}


@pytest.mark.parametrize(
    "item",
    [
        {"Id": ID, "LambdaFunctionArn": OTHER, "Events": ["s3:ObjectTagging:*"]},
        {"Id": "another", "LambdaFunctionArn": ARN, "Events": ["s3:ObjectTagging:*"]},
        {"Id": ID, "LambdaFunctionArn": f"{ARN}:live", "Events": ["s3:ObjectTagging:*"]},
        {"Id": f"{ID}-2", "LambdaFunctionArn": ARN, "Events": ["s3:ObjectTagging:*"]},
        {"LambdaFunctionArn": ARN, "Events": ["s3:ObjectTagging:*"]},
    ],
    ids=["our id, another function", "our function, another id", "an alias", "a longer id", "no id"],
)
def test_an_entry_is_only_ours_by_exact_id_and_function(item):
    assert without_entry(lambdas(item)) == lambdas(item)
    assert with_entry(lambdas(item), OURS) == lambdas(item, OURS)
    assert not has_entry(lambdas(item))


# What pypicloud's own tool left


@pytest.mark.parametrize("given_ids", [True, False])
def test_the_two_entries_that_pypicloud_left_make_way_for_ours(given_ids):
    left = LEFT if given_ids else [{k: v for k, v in item.items() if k != "Id"} for item in LEFT]
    assert with_entry(lambdas(*left), OURS) == lambdas(OURS)
    assert replaced(lambdas(*left), MARK) == left
    assert overlapping(lambdas(*left), OURS) is None


def test_what_pypicloud_left_is_not_removed_before_it_was_adopted():
    assert without_entry(lambdas(*LEFT)) == lambdas(*LEFT)
    assert not has_entry(lambdas(*LEFT))


@pytest.mark.parametrize(
    "change",
    [
        {"LambdaFunctionArn": OTHER},
        {"LambdaFunctionArn": f"{ARN}-2"},
        filtered(prefix="logs/"),
        {"Events": ["s3:ObjectCreated:Put"]},
        {"Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]},
        {"Events": ["s3:ObjectTagging:*"]},
    ],
    ids=["another function", "a longer name", "a filter", "one event", "both in one", "other events"],
)
def test_an_entry_that_is_not_quite_what_pypicloud_left_stays(change):
    item = {**LEFT[0], **change}
    assert with_entry(lambdas(item), OURS) == lambdas(item, OURS)
    assert replaced(lambdas(item), MARK) == []


def test_what_makes_way_for_ours_is_ours_of_before_and_what_pypicloud_left():
    configuration = lambdas(*FOREIGN["LambdaFunctionConfigurations"], LEFT[1], OURS)
    assert replaced(configuration, MARK) == [LEFT[1], OURS]


def test_our_entry_is_found_among_others_whatever_it_says():
    changed = {**OURS, "Events": ["s3:ObjectCreated:Put"]}
    assert has_entry(lambdas(*FOREIGN["LambdaFunctionConfigurations"], changed))
    assert not has_entry(FOREIGN)
    assert not has_entry({})


def test_foreign_entries_are_counted_with_eventbridge_and_without_what_ours_replaces():
    assert foreign_count(FOREIGN) == 6
    assert foreign_count(with_entry(FOREIGN, OURS)) == 6
    assert foreign_count(lambdas(*LEFT)) == 0
    assert foreign_count({}) == 0


# What means the same


def mirrored(value):
    """The same in the opposite order."""
    if isinstance(value, dict):
        return {key: mirrored(value[key]) for key in reversed(list(value))}
    return [mirrored(item) for item in reversed(value)] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FOREIGN, mirrored(FOREIGN)),
        (lambdas({**OURS, **filtered(prefix="a")}), lambdas({**OURS, **filtered(Prefix="a")})),
        (
            lambdas({**OURS, **filtered(prefix="a", suffix="b")}),
            lambdas({**OURS, **filtered(Suffix="b", Prefix="a")}),
        ),
        (lambdas({**OURS, "Filter": {}}), lambdas(OURS)),
        (lambdas({**OURS, "Filter": {"Key": {"FilterRules": []}}}), lambdas(OURS)),
        (lambdas({**OURS, "Filter": {"Key": {}}}), lambdas(OURS)),
        (lambdas(), {}),
        ({"EventBridgeConfiguration": {}}, {"EventBridgeConfiguration": {}}),
    ],
    ids=["order", "Prefix", "rules in order", "Filter {}", "no rules", "no Key", "empty list", "EventBridge"],
)
def test_order_and_spelling_make_no_difference(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    "other",
    [
        {},
        lambdas({**OURS, "Id": "another"}),
        lambdas({**OURS, "LambdaFunctionArn": OTHER}),
        lambdas({**OURS, "Events": OURS["Events"][:2]}),
        lambdas({**OURS, **filtered(prefix="a")}),
        lambdas(OURS, OURS),
        {**lambdas(OURS), "EventBridgeConfiguration": {}},
        {**lambdas(OURS), "QueueConfigurations": FOREIGN["QueueConfigurations"]},
    ],
    ids=["gone", "id", "function", "event", "filter", "twice", "EventBridge", "a queue more"],
)
def test_what_means_something_else_is_not_the_same(other):
    assert not same(lambdas(OURS), other)
    assert not same(other, lambdas(OURS))


def test_prefixes_differ_in_their_case():
    assert not same(
        lambdas({**OURS, **filtered(prefix="Pkgs/")}), lambdas({**OURS, **filtered(prefix="pkgs/")})
    )


# What S3 would refuse


@pytest.mark.parametrize(
    "event",
    [
        "s3:ObjectCreated:*",
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectRemoved:*",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:LifecycleExpiration:*",
        "s3:LifecycleExpiration:Delete",
    ],
)
def test_one_of_our_events_overlaps_with_or_without_wildcard(event):
    assert overlapping(lambdas(in_the_way(Events=["s3:ObjectTagging:*", event])), OURS) == (
        f"theirs ({event}) to {OTHER}"
    )


@pytest.mark.parametrize(
    "event",
    [
        "s3:ObjectTagging:*",
        "s3:ObjectRestore:Post",
        "s3:Replication:*",
        "s3:ReducedRedundancyLostObject",
        "s3:ObjectAcl:Put",
        "s3:LifecycleTransition",
        "s3:IntelligentTiering",
    ],
)
def test_any_other_event_does_not_overlap(event):
    assert overlapping(lambdas(in_the_way(Events=[event])), OURS) is None


def test_a_wildcard_of_theirs_overlaps_with_an_event_of_ours():
    ours = {**OURS, "Events": ["s3:ObjectCreated:Put"]}
    assert overlapping(lambdas(in_the_way()), ours) is not None
    assert overlapping(lambdas(in_the_way(Events=["s3:ObjectCreated:Copy"])), ours) is None


@pytest.mark.parametrize(
    ("theirs", "prefix"),
    [
        (filtered(prefix="pkgs/"), "pkgs/"),
        (filtered(prefix="pkgs/"), "pkgs/eu/"),
        (filtered(prefix="pkgs/eu/"), "pkgs/"),
        (filtered(Prefix="pkgs/eu/"), "pkgs/"),
        (filtered(prefix=""), "pkgs/"),
        ({}, "pkgs/"),
        (filtered(prefix="logs/"), ""),
        (filtered(suffix=".whl"), "pkgs/"),
        (filtered(prefix="pkgs/eu/", suffix=".whl"), "pkgs/"),
    ],
)
def test_a_prefix_that_holds_the_other_overlaps_whichever_is_longer(theirs, prefix):
    assert overlapping(lambdas(in_the_way(**theirs)), entry(prefix)) is not None


@pytest.mark.parametrize("theirs", ["logs/", "pkgs2/", "Pkgs/", "pkg/"])
def test_prefixes_beside_each_other_do_not_overlap(theirs):
    for rules in (filtered(prefix=theirs), filtered(Prefix=theirs), filtered(prefix=theirs, suffix=".whl")):
        assert overlapping(lambdas(in_the_way(**rules)), entry("pkgs/")) is None


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (".whl", ".whl", True),
        (".gz", ".tar.gz", True),
        (".tar.gz", ".gz", True),
        (".whl", "whl", True),
        ("whl", ".whl", True),
        (".whl", "", True),
        (".whl", ".gz", False),
        (".whl", "l.wh", False),
        ("a.whl", "b.whl", False),
    ],
)
def test_suffixes_overlap_where_one_ends_in_the_other(one, other, meet):
    configuration = lambdas(in_the_way(**filtered(suffix=one)))
    assert (overlapping(configuration, {**OURS, **filtered(suffix=other)}) is not None) is meet


def test_prefix_and_suffix_must_both_overlap():
    ours = {**OURS, **filtered(prefix="pkgs/", suffix=".whl")}
    for rules, meet in (
        (filtered(prefix="pkgs/", suffix=".gz"), False),
        (filtered(prefix="logs/", suffix=".whl"), False),
        (filtered(prefix="pkgs/eu/", suffix=".whl"), True),
    ):
        assert (overlapping(lambdas(in_the_way(**rules)), ours) is not None) is meet, rules


@pytest.mark.parametrize(
    ("kind", "destination", "arn"),
    [
        ("QueueConfigurations", "QueueArn", QUEUE),
        ("TopicConfigurations", "TopicArn", TOPIC),
        ("LambdaFunctionConfigurations", "LambdaFunctionArn", OTHER),
    ],
)
def test_an_overlap_is_named_by_id_events_filter_and_destination(kind, destination, arn):
    item = {"Id": "x", destination: arn, "Events": ["s3:ObjectRemoved:*"], **filtered(Prefix="a/")}
    assert overlapping({kind: [item]}, OURS) == f"x (s3:ObjectRemoved:*, prefix 'a/') to {arn}"


def test_an_overlap_without_id_is_named_too():
    item = {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}
    expected = f"without id (s3:ObjectCreated:*) to {QUEUE}"
    assert overlapping({"QueueConfigurations": [item]}, OURS) == expected


def test_eventbridge_gets_every_event_and_never_overlaps():
    assert overlapping({"EventBridgeConfiguration": {}}, OURS) is None


def test_our_own_entry_never_overlaps_itself():
    configuration = with_entry(FOREIGN, OURS)
    assert overlapping(configuration, OURS) is None
    assert overlapping(configuration, entry("pkgs/")) is None, "nor where the prefix has changed"


def test_another_entry_for_our_own_function_overlaps():
    """S3 would refuse it as anybody else's: it must be named, not replaced."""
    item = {
        "Id": "by hand",
        "LambdaFunctionArn": ARN,
        "Events": ["s3:ObjectCreated:*"],
        **filtered(prefix="a"),
    }
    assert overlapping(lambdas(item), OURS) == f"by hand (s3:ObjectCreated:*, prefix 'a') to {ARN}"


def test_each_kind_of_destination_is_looked_at():
    """A new kind in S3's API would be kept, but its overlap missed: then this list grows."""
    import boto3

    client = boto3.client("s3", region_name="us-east-1")
    shape = client.meta.service_model.shape_for("NotificationConfiguration")
    assert set(shape.members) == {*notifications.DESTINATIONS, "EventBridgeConfiguration"}


# A queue, and EventBridge


@pytest.mark.parametrize(
    "before", [{}, FOREIGN, lambdas(OURS), lambdas(*LEFT)], ids=["bare", "foreign", "ours", "left"]
)
def test_our_entry_for_a_queue_takes_the_place_of_the_one_for_the_function(before):
    merged = subscribed(before, MARK, BY_QUEUE)
    assert merged["QueueConfigurations"][-1] == OURS_BY_QUEUE
    assert OURS not in merged.get("LambdaFunctionConfigurations", [])
    assert same(without_entry(merged), FOREIGN if before is FOREIGN else {})


def test_our_entry_for_the_function_takes_the_place_of_the_one_for_a_queue():
    assert with_entry({"QueueConfigurations": [OURS_BY_QUEUE]}) == lambdas(OURS)


def test_an_entry_of_our_id_for_somebodys_queue_is_not_ours():
    theirs = {"QueueConfigurations": [{**OURS_BY_QUEUE, "QueueArn": QUEUE}]}
    assert without_entry(theirs) == theirs
    assert not has_entry(theirs)


def test_what_pypicloud_would_have_left_is_no_entry_for_a_queue():
    theirs = {"QueueConfigurations": [{"Id": "x", "QueueArn": OUR_QUEUE, "Events": ["s3:ObjectCreated:*"]}]}
    assert without_entry(theirs) == theirs


def test_eventbridge_is_switched_on_without_an_entry_of_ours():
    assert subscribed(lambdas(OURS), MARK, BY_EVENTBRIDGE) == {"EventBridgeConfiguration": {}}
    assert subscribed(FOREIGN, MARK, BY_EVENTBRIDGE) == FOREIGN


def test_eventbridge_is_only_switched_off_where_that_is_asked_for():
    on = {"EventBridgeConfiguration": {}}
    assert unsubscribed(on, MARK) == on
    assert unsubscribed(on, MARK, eventbridge=False) == {}
    assert with_entry(on) == {**on, **lambdas(OURS)}


def test_our_own_switch_is_no_notification_of_others():
    on = {"EventBridgeConfiguration": {}}
    assert foreign_count(on) == 1
    assert foreign_count(on, eventbridge_is_ours=True) == 0

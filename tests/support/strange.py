"""Events that nobody should send, for hypothesis: any JSON, and AWS's documented events with damage."""

from __future__ import annotations

import copy
import json

from hypothesis import strategies as st

from support.world import EVENTS

DOCUMENTED = sorted(path.stem for path in EVENTS.glob("*.json"))
WORDS = [
    *("Records", "s3", "bucket", "name", "object", "key", "eventName", "eventTime", "eventSource"),
    *("aws:sqs", "messageId", "body", "Sns", "Message", "Type", "Notification", "aws:sns", "aws:s3"),
    *("source", "aws.s3", "detail", "detail-type", "time", "Event", "s3:TestEvent"),
]
any_text = st.one_of(st.sampled_from(WORDS), st.text(st.characters(), max_size=20))
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), any_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(any_text, inner, max_size=5),
        inner.map(json.dumps),
        inner.map(lambda value: {"Records": [value]}),
        inner.map(lambda value: {"eventSource": "aws:sqs", "messageId": "m", "body": json.dumps(value)}),
        inner.map(lambda value: {"Sns": {"Message": json.dumps(value)}}),
        inner.map(lambda value: {"Type": "Notification", "Message": json.dumps(value)}),
        inner.map(lambda value: {"s3": {"bucket": {"name": "b"}, "object": {"key": value}}}),
        inner.map(lambda value: {"source": "aws.s3", "detail": value}),
    ),
    max_leaves=12,
)


def inside(text):
    """What a text holds as JSON, where that has parts."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict | list) and value else None


@st.composite
def mutated(draw, value):
    """The value with a part of it, or of the JSON in its texts, replaced, removed, doubled or garbled."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 9)):
        changed = copy.copy(value)
        at = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        match draw(st.sampled_from(["deeper"] * 6 + ["remove", "double"])):
            case "remove":
                del changed[at]
            case "double" if isinstance(changed, list):
                changed.append(changed[at])
            case _:
                changed[at] = draw(mutated(value[at]))
        return changed
    if inside(value) and draw(st.integers(0, 4)):
        text = json.dumps(draw(mutated(inside(value))))
        return text[: draw(st.integers(0, len(text)))] if not draw(st.integers(0, 9)) else text
    return draw(any_json)

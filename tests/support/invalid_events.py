"""Strategies of hypothesis for invalid events: any JSON, and AWS's documented events with damage."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from support.moto_world import EVENTS

DOCUMENTED = sorted(path.stem for path in EVENTS.glob("*.json"))
WORDS = [
    *("Records", "s3", "bucket", "name", "object", "key", "eventName", "eventTime", "eventSource"),
    *("aws:sqs", "messageId", "body", "Sns", "Message", "Type", "Notification", "aws:sns", "aws:s3"),
    *("source", "aws.s3", "detail", "detail-type", "time", "Event", "s3:TestEvent"),
    *("requestPayload", "requestContext", "lambda"),
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


def nested(text: object) -> dict[str, Any] | list[Any] | None:
    """Return the JSON object or array in a text, if it is not empty."""
    try:
        value = json.loads(text)  # type: ignore[arg-type] # other types raise TypeError
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict | list) and value else None


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """Return the value with a part of it, or of the JSON in its texts, replaced, removed, doubled or cut."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 9)):
        changed = copy.copy(value)
        places: list[Any] = sorted(value) if isinstance(value, dict) else list(range(len(value)))
        at = draw(st.sampled_from(places))
        match draw(st.sampled_from(["deeper"] * 6 + ["remove", "double"])):
            case "remove":
                del changed[at]
            case "double" if isinstance(changed, list):
                changed.append(changed[at])
            case _:
                changed[at] = draw(mutated(value[at]))
        return changed
    if nested(value) and draw(st.integers(0, 4)):
        text = json.dumps(draw(mutated(nested(value))))
        return text[: draw(st.integers(0, len(text)))] if not draw(st.integers(0, 9)) else text
    return draw(any_json)

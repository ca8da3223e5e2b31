"""Describe a plan for replication as JSON."""

from __future__ import annotations

from typing import Any

from ..state.plan_document import action_document
from .batch import batch_jobs
from .models import Need, Region, ReplicationPlan
from .rules import is_own


def replication_document(plan: ReplicationPlan) -> dict[str, Any]:
    """Return a plan as JSON: what would change, and what people have to know and do."""
    return {
        "command": "replicate",
        "remove": plan.removes,
        "in_sync": plan.in_sync,
        "buckets": [_bucket(region) for region in plan.regions],
        "warnings": list(plan.warnings),
        "lifecycle_rule": plan.lifecycle,
        "needs": [_need(need) for need in plan.needs],
        "actions": [{**action_document(step.action), "bucket": step.bucket} for step in plan.steps],
        "batch_jobs": [] if plan.removes else batch_jobs(plan.regions),
    }


def _bucket(region: Region) -> dict[str, Any]:
    return {
        "config": region.config,
        "bucket": region.bucket,
        "prefix": region.prefix,
        "region": region.region,
        "account": region.identity.account,
        "versioning": region.versioning or None,
        "role": (region.configuration or {}).get("Role"),
        "foreign_rules": sum(not is_own(rule) for rule in region.rules),
    }


def _need(need: Need) -> dict[str, Any]:
    return {"resource": need.resource, "reason": need.reason, "statements": list(need.statements)}

"""Provisioning: from settings to a Lambda function that keeps the cache equal to the bucket.

The pipeline, in the order of a run::

    settings ──desired──▶ Desired ─┐
                                   ├─planner──▶ Plan ──executor──▶ AWS
    AWS ──────reader────▶ Observed ┘             │
                                                 └──status──▶ a document

- :mod:`.desired` and :mod:`.policy` say what the settings ask for; pure.
- :mod:`.reader` says what AWS has; it only reads.
- :mod:`.planner` compares the two, part by part (:mod:`.steps`), with :mod:`.notifications` for what is
  shared with others; pure.
- :mod:`.executor` performs the plan's actions through :mod:`.writers`, and nothing else.
- :mod:`.bundle` builds the function's code.

State lives in AWS, not in a file. Stopped anywhere, the next run goes on from what it finds.
"""

from . import documents, run_lock
from .aws_errors import missing_right
from .deployment import Deployment
from .models import Plan, Progress, Reporter

__all__ = ["Deployment", "Plan", "Progress", "Reporter", "documents", "missing_right", "run_lock"]

"""Deploy the Lambda function that keeps the cache in sync with the bucket.

The pipeline of a run::

    settings ──desired──▶ Desired ─┐
                                   ├─plan──▶ Plan ──executor──▶ AWS
    AWS ──────readers───▶ Observed ┘           │
                                               └──documents──▶ JSON

- :mod:`.desired` derives the desired resources from the settings.
- :mod:`.readers` read the current resources from AWS and change nothing.
- :mod:`.plan` compares the two, with :mod:`.notifications` for the configuration that other owners share.
- :mod:`.executor` performs the plan's actions through :mod:`.writers`, and nothing else.
- :mod:`.state` reads the state, with what is in the way and what fails, and describes both as JSON.
- :mod:`.runs` allows one run at a time on this host, and lets other processes follow it.
- :mod:`.cache` reconciles the cache from this host, or lets the function do it.
- :mod:`.operator` derives the rights that the runs and reads need.
- :mod:`.bundle` builds the function's code.
- :mod:`.replication` does the same for S3 replication among several regions.
- :mod:`.template` describes the desired resources for CloudFormation and Terraform.

Only the readers, the writers and the modules that run them call AWS; the others compute values.

State lives in AWS, not in a local file. If a run is interrupted, the next one continues from what it finds.
"""

from .aws.denials import policy_that_allows
from .aws.errors import failure
from .cache import contents
from .deployment import Deployment
from .models import Plan, Progress, Reporter
from .runs import results, run_files, run_lock, run_record
from .state.plan_document import plan_document

__all__ = [
    "Deployment",
    "Plan",
    "Progress",
    "Reporter",
    "contents",
    "failure",
    "plan_document",
    "policy_that_allows",
    "results",
    "run_files",
    "run_lock",
    "run_record",
]

"""Run one command of the admin UI in this process, which the web server has started for it.

A run is a separate process so that it continues after the request, the web server's worker or a proxy has
ended. :mod:`.runs` starts it.
"""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ..config.environ import EnvironSettings
from ..config.settings import read
from ..deploy import Deployment, run_lock
from ..exceptions import S3SyncError
from ..reconcile.models import Options
from ..sync.masking import mask, secrets_of
from . import reconcile_on_start

LOG = logging.getLogger(__name__)
#: What each command does. Each of them holds the lock until it ends.
COMMANDS: dict[str, Callable[[Deployment], Any]] = {
    "enable": lambda deployment: deployment.enable(reconcile=True),
    "disable": lambda deployment: deployment.disable(),
    "compare": lambda deployment: deployment.reconcile(Options(dry_run=True)),
    "reconcile": lambda deployment: deployment.reconcile(),
    "replay": lambda deployment: deployment.replay(),
}


def main(document: Mapping[str, Any]) -> int:
    """Run a command to its end, and return the exit status of the process.

    Parameters
    ----------
    document : dict
        ``command``; ``settings``, the application's settings; ``lock`` and ``record``, the descriptors of the
        run that the web server has begun.
    """
    # A thread of a web server may have blocked signals, and the process inherits that.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if document["command"] == reconcile_on_start.COMMAND:
        return reconcile_on_start.reconcile(document["settings"])
    run = run_lock.Run.inherited(document["lock"], document["record"])
    try:
        # Without this process's environment: the settings already contain the PPC_* variables.
        settings = read(EnvironSettings(dict(document["settings"]), {}))
        COMMANDS[document["command"]](Deployment(settings, run=run))
    except S3SyncError:
        # The record has the message.
        return 1
    except Exception as error:
        trace = "".join(traceback.format_exception(error))
        secrets = secrets_of(document["settings"].items())
        LOG.error("S3 sync: %s failed\n%s", document["command"], mask(trace, secrets))
        return 1
    return 0

"""Run the demo: start the servers, run the steps, then keep everything running or end it."""

from __future__ import annotations

from rich.console import Console

from ..devtools.processes import wait_until
from ..exceptions import S3SyncError
from . import story
from .servers import TwoRegions, free_ports, two_regions, usual_ports
from .signals import Ended
from .tools import PASSWORD, USER
from .transcript import HopError, Transcript


def run(*, stay: bool) -> int:
    """Run the demo and return the exit status: 0 if all steps succeeded, 1 if one failed.

    Parameters
    ----------
    stay : bool
        Whether to keep everything running until a signal arrives.

    Raises
    ------
    Ended
        If a signal arrives before the last step. Everything has been cleaned up by then.
    """
    transcript = Transcript(Console())
    try:
        with two_regions(transcript, usual_ports() if stay else free_ports()) as company:
            story.tell(company, transcript)
            transcript.table()
            if stay:
                _stay(company, transcript)
            else:
                transcript.line("Success: a package uploaded in one region was installed from the other.")
    except HopError as failed:
        transcript.failure(failed)
        return 1
    except S3SyncError as error:
        transcript.line(f"FAILED: {error}")
        return 1
    return 0


def _stay(company: TwoRegions, transcript: Transcript) -> None:
    for region in (company.first, company.second):
        transcript.line(f"{region.name}: {region.url}  login {USER} / {PASSWORD}  ini {region.ini}")
    transcript.line("Press Ctrl-C to stop everything.")

    def never() -> bool:
        company.check_running()
        return False

    try:
        wait_until(never, "a signal arrives", float("inf"))
    except Ended:
        transcript.line("stopping everything")

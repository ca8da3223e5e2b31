"""The demo's command: tell the story, then stay or go."""

from __future__ import annotations

from rich.console import Console

from ..devtools.processes import wait_until
from ..exceptions import S3SyncError
from . import story
from .report import HopFailed, Transcript
from .servers import PASSWORD, USER, TwoRegions, free_ports, two_regions, usual_ports
from .signals import Ended


def run(*, stay: bool) -> int:
    """Tell the story; 0 where the proof held, 1 where it did not.

    Parameters
    ----------
    stay : bool
        Keep all running until a signal comes.

    Raises
    ------
    Ended
        A signal came before the proof; all has been undone.
    """
    report = Transcript(Console())
    try:
        with two_regions(report, usual_ports() if stay else free_ports()) as company:
            story.tell(company, report)
            report.table()
            if stay:
                _stay(company, report)
            else:
                report.line("It held: what was uploaded in one region was installed from the other.")
    except HopFailed as failed:
        report.failure(failed)
        return 1
    except S3SyncError as error:
        report.line(f"FAILED: {error}")
        return 1
    return 0


def _stay(company: TwoRegions, report: Transcript) -> None:
    for region in (company.first, company.second):
        report.line(f"{region.name}: {region.url}  login {USER} / {PASSWORD}  ini {region.ini}")
    report.line("Ctrl-C ends all of it.")

    def never() -> bool:
        company.check_running()
        return False

    try:
        wait_until(never, "a signal comes", float("inf"))
    except Ended:
        report.line("ending all of it")

"""Run ministack in this process, without the seconds in which it answers nobody.

``ppc-s3sync doctor`` asks for the scaling of DynamoDB's tables, and ministack 1.5 has no Application Auto
Scaling. To find out that AWS has it, ministack parses the models of all 400 services, for four seconds. This
can go once ministack has the service, or finds the names without the models.
"""

from __future__ import annotations

import botocore.session

#: What ministack 1.5 fills when it is asked for a service that it does not have.
NAMES = "_KNOWN_AWS_SERVICE_NAMES"


def main() -> None:
    """Run the emulator until the process ends."""
    from ministack import app

    name_services()
    app.main()


def name_services() -> None:
    """Let ministack know the names of AWS's services.

    They are boto3's. The few services whose requests are signed with another name are missing: ministack
    takes their requests for S3's, unless it has the service. This tool calls none of them.
    """
    from ministack.core import router

    # A version without it works, too: a test says that this has to be adapted or can go.
    if hasattr(router, NAMES):
        setattr(router, NAMES, frozenset(botocore.session.get_session().get_available_services()))


if __name__ == "__main__":
    main()

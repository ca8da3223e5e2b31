"""Run the console script without having it on PATH: ``python -m pypicloud_s3sync.cli``."""

import sys

from .main import main

sys.exit(main())

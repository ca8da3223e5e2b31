"""``python -m pypicloud_s3sync.cli``: the console script, for an environment without its scripts on PATH."""

import sys

from .main import main

sys.exit(main())

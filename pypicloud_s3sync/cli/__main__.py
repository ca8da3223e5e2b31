"""Run the console script without having it on PATH: ``python -m pypicloud_s3sync.cli``."""

import sys

from .main import main

status = main()
# If Ctrl-C came while a library ran code from a string, ``python -m`` would end by SIGINT although it was
# handled. Python forgets that as it runs another string: run_eval_code_obj of CPython's Python/pythonrun.c.
exec("")  # noqa: S102 - no code
sys.exit(status)

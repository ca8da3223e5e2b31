from __future__ import annotations

import logging
import warnings

import pytest

from pypicloud_s3sync.cli.logs import to_stderr

SECRET = "hunter2-long"


def test_secrets_and_control_characters_do_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("botocore.auth")
    with to_stderr([SECRET], verbose=True):
        log.info("signing with %s\x1b[31m\nand more", SECRET)
        try:
            raise ValueError(f"redis://:{SECRET}@h\x1b[0m")
        except ValueError:
            log.exception("failed")
        log.error("a stack", stack_info=True)
    err = capsys.readouterr().err
    assert r"INFO:botocore.auth:signing with ********\x1b[31m\nand more" in err
    assert "\nTraceback (most recent call last):\n" in err
    assert r"ValueError: redis://********@h\x1b[0m" in err
    assert "Stack (most recent call last):" in err
    assert SECRET not in err
    assert "\x1b" not in err


def test_without_verbose_only_errors_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    with to_stderr([], verbose=False):
        logging.getLogger("botocore").warning("a warning")
        logging.getLogger("botocore").error("an error")
    assert capsys.readouterr().err == "ERROR:botocore:an error\n"


def test_warnings_of_python_are_masked_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with to_stderr([SECRET], verbose=verbose):
                warnings.warn(f"the URL redis://:{SECRET}@h is old\x1b[0m", stacklevel=1)
    err = capsys.readouterr().err
    assert err.count("UserWarning: the URL") == 1
    assert SECRET not in err
    assert "\x1b" not in err


def test_afterwards_logging_is_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    with to_stderr([], verbose=True):
        assert root.handlers != before[1]
    assert (root.level, root.handlers) == before

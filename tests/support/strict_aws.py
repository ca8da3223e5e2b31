"""An embedded AWS that does not reveal missing objects to callers who may not list the bucket."""

from __future__ import annotations

from pathlib import Path

from pypicloud_s3sync.embedded import EmbeddedAws


class StrictAws(EmbeddedAws):
    """The embedded AWS, with S3's answers to HeadObject as strict as AWS's."""

    # Not imported: ministack configures the logging of its process.
    arguments = (str(Path(__file__).with_name("strict_emulator.py")),)

"""Write a configuration of the bucket that several owners share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...exceptions import AwsError
from .calls import Calls

T = TypeVar("T")


class BucketWriter:
    """Actions on a configuration of the bucket.

    Parameters
    ----------
    calls : Calls
    bucket : str
    account : str
        The account that owns the bucket; S3 refuses the write if the owner has changed.
    """

    def __init__(self, calls: Calls, bucket: str, account: str) -> None:
        self.calls = calls
        self.bucket = bucket
        self.account = account


@dataclass(frozen=True)
class SharedConfiguration(Generic[T]):
    """A configuration that S3 replaces as a whole, and that has entries of other owners.

    Parameters
    ----------
    read : callable
        Returns the configuration as S3 has it.
    equivalent : callable
        Returns whether two configurations mean the same.
    write : callable
        Replaces the configuration.
    propagation : tuple of str
        S3's messages until it accepts the configuration.
    conflict : str
        The error's message if another program changes it at the same time.
    """

    read: Callable[[], T]
    equivalent: Callable[[T, T], bool]
    write: Callable[[T], None]
    propagation: tuple[str, ...]
    conflict: str

    def rewrite(self, calls: Calls, change: Callable[[T], T]) -> None:
        """Read the configuration, change the own part, write the whole if it differs, and verify it."""

        def read_and_write() -> bool:
            # S3 has no conditional write, so read just before each write: others may have changed the rest.
            current = self.read()
            wanted = change(current)
            if self.equivalent(current, wanted):
                return False
            self.write(wanted)
            return True

        def is_written() -> bool:
            written = self.read()
            return self.equivalent(change(written), written)

        if not calls.retry_on(self.propagation, read_and_write):
            return
        # Bucket configurations are eventually consistent:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
        if not calls.until(is_written):
            raise AwsError(self.conflict)

"""Servers, fakes and helpers of the tests; nothing here is a test.

pypicloud's caches can be imported only after :mod:`pypicloud_s3sync.compat` was applied.
"""

from pypicloud_s3sync import compat

compat.apply()

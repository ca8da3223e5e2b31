"""S3-backed pypi server, without the web application that pypicloud starts from this file.

A cold start would import Pyramid's configuration, Beaker and distlib's locators for nothing.
"""

__version__ = "@PYPICLOUD_VERSION@"

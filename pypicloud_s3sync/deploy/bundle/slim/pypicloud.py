"""S3-backed pypi server, without the web application that pypicloud starts from this file.

The web application would import Pyramid's configuration, Beaker and distlib's locators at each cold start,
and the handler uses none of them.
"""

__version__ = "@PYPICLOUD_VERSION@"

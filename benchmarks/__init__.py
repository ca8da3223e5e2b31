"""Measure this project against pypicloud 1.3.12's own Lambda function, on the same work and in one run.

``make bench`` runs it: ``python -m benchmarks`` with ``tests`` on the path, for the databases of the tests.

- :mod:`.environments` builds both bundles and unpacks them. The peer is pypicloud's own handler and bundle
  recipe, in an environment of its own; ``scripts/`` has what runs there.
- :mod:`.workers` runs a bundle in an interpreter that imports nothing else but the AWS SDK.
- :mod:`.simulated_s3`, :mod:`.databases` and :mod:`.latency` are what a worker talks to. Every answer takes
  the same time: what an emulator needs more is not counted as the function's.
- ``figures/`` has a module for each figure or group of figures. It returns
  :class:`~benchmarks.results.Figure` and :class:`~benchmarks.results.Chart` objects.
- :mod:`.samples` has the statistics, :mod:`.results` the data, :mod:`.table` and :mod:`.charts` show them.
"""

"""Run two pypicloud servers in two regions on this machine, and prove that they stay in sync.

``python -m pypicloud_s3sync.demo [--exit]`` runs :mod:`.command`, which starts the servers (:mod:`.servers`)
and runs the steps (:mod:`.story`). :mod:`.replicator` copies between the buckets, which :mod:`.emulator`
leaves to it. :mod:`.tools` runs commands and sends requests, and :mod:`.transcript` shows the steps.
"""

from __future__ import annotations

"""Two pypicloud servers in two regions on this machine, and the proof that they stay in sync.

``python -m pypicloud_s3sync.demo [--exit]``. The pieces: :mod:`.story` is what happens, :mod:`.servers` what
runs, :mod:`.replicator` what copies between the buckets, :mod:`.report` what is seen of it, :mod:`.command`
their order.
"""

from __future__ import annotations

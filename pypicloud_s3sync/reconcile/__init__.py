"""Compare a bucket with its cache, and repair the rows, names and summaries that differ.

Both sides are listed as streams into a temporary database on disk (:mod:`.listing`), so that memory does not
grow with the bucket. :mod:`.differences` compares the sorted listings. The result is only a list of keys to
look at: :class:`..sync.converge.Syncer` decides for each of them, as it does for an event (:mod:`.repair`).
Therefore a reconciliation may run during events and uploads, and may be stopped at any time.

A cache lists its rows by a class of :mod:`.scans`. :mod:`.run` puts the parts together.
"""

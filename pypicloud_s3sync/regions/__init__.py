"""Answer whether regions are equal, and whether a region can serve a file.

:mod:`.survey` lists a region as ``reconcile`` does, and looks at what differs inside it. :mod:`.compare`
merges the listings of all regions, which are sorted and on disk, so that memory does not grow with the
buckets. :mod:`.differences` compares what the regions hold of one filename, and :mod:`.digests` adds it to
the digest of each. :mod:`.disputed` reads in S3 what the listings do not agree about, because they are not
taken at the same moment.

:mod:`.wait` watches a single file of a single region.

These modules are not part of :mod:`..reconcile`, because the function needs that package, but not this one.
"""

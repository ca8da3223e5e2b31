"""Examine an installation: every precondition with its state, its evidence and its remedy.

- :mod:`.reading` reads AWS and the cache, side by side, and changes nothing; :mod:`.readers` has the reads
  that only this package needs.
- :mod:`.checks` has a function for each check, from facts to a finding. :mod:`.replication` understands the
  bucket's replication rules.
- :mod:`.examination` runs the checks. A value that could not be read is the finding of each check that needs
  it.
- :mod:`.canary` sends a package through.
- :mod:`.diagnosis` puts the parts together.
"""

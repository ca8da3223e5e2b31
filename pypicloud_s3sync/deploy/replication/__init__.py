"""Set up S3 replication among the buckets of several regions, from every one to every other.

It works as :mod:`pypicloud_s3sync.deploy` does: :mod:`.run` reads all regions, :mod:`.planner` compares, and
the executor performs the plan's actions and nothing else. :mod:`.rules` merges this tool's rules into a
replication configuration that others share, :mod:`.policy` has the IAM documents, :mod:`.batch` the jobs for
the objects that existed before, and :mod:`.documents` describes a plan as JSON. Only :mod:`.run` calls AWS.
"""

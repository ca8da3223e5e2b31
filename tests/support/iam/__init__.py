"""Enforce an IAM policy on the calls of this process as AWS does.

The emulator checks other resources than AWS, or none, for some calls. Here, a table says what AWS checks for
each call, and AWS's own reference says whether the table can be right.
"""

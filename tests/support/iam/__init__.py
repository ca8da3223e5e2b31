"""Enforce an IAM policy on the calls of this process as AWS does.

The emulator checks other resources than AWS, or none, for some calls. Here, a table says what AWS checks for
each call, and AWS's own reference says whether the table can be right. Left out are keys of KMS, policies of
resources, permissions boundaries and service control policies.
"""

"""Define the checks: each is a function from facts to a finding, which does not call AWS.

A check that needs a fact that could not be read raises its error, which becomes the check's finding.
"""

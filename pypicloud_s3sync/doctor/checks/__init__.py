"""Judge what was read: a function for each check, from facts to a finding; nothing here calls AWS.

A check that needs a fact that could not be read raises its error, which becomes the check's finding.
"""

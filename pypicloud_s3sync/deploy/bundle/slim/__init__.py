"""Modules that a bundle holds under other names; nothing here imports them.

They are Python files and not templates so that the linter and the type checker read them too.
"""

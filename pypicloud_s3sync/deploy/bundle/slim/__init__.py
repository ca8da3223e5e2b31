"""Modules that a bundle contains under other names; nothing imports them from here.

They are Python files and not text templates so that the linter and the type checker check them too.
"""

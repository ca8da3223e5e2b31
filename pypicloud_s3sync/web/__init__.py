"""pypicloud's admin UI gets routes and a panel, which :mod:`.views` adds."""

"""The admin routes and the panel of pypicloud's admin UI."""

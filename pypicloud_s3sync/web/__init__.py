"""Add admin routes and a panel to pypicloud's admin UI."""

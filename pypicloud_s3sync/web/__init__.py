"""The admin UI: :mod:`.assets` puts the panel into pypicloud's pages, :mod:`.views` adds its routes."""

"""The admin UI: :mod:`.views` adds routes and a panel to that of pypicloud."""

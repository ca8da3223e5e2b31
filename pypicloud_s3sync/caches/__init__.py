"""pypicloud's caches as the sync reads and writes them; the modules mirror ``pypicloud.cache``."""

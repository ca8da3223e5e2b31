"""Read and write pypicloud's caches; the modules mirror ``pypicloud.cache``."""

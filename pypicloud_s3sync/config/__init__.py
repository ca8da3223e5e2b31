"""What the ini says: pypicloud's settings and the ``s3sync.*`` options become ``SyncSettings``."""

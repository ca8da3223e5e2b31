"""Read pypicloud's settings and the ``s3sync.*`` options from the ini file into ``SyncSettings``."""

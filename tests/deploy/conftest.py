"""Names that the deployment's tests use; the fixtures are the whole suite's."""

from sites import NOTHING, REGIONS, Killed, Site, Watch, make_tables, zip_of

__all__ = ["NOTHING", "REGIONS", "Killed", "Site", "Watch", "make_tables", "zip_of"]

"""The AWS clients of provisioning, as the settings reach AWS; the only module here that imports boto3."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from ..config.settings import Credentials, SyncSettings
from ..exceptions import ConfigError

#: Where to ask for a bucket's region when nothing names one; S3 answers from anywhere in a partition.
ANY_REGION = "us-east-1"


class Clients:
    """One client for each service, made when it is first asked for.

    Parameters
    ----------
    settings : SyncSettings
        Its credentials and endpoint are used; boto3's own chain where there are none.
    region : str, optional
        The function's, once it is known.
    """

    def __init__(self, settings: SyncSettings, region: str | None = None) -> None:
        self.settings = settings
        try:
            self.session = _session(settings.credentials, region or settings.region)
        except BotoCoreError as error:
            raise ConfigError(f"the AWS configuration cannot be used: {error}") from error
        self.region: str = self.session.region_name or ANY_REGION
        self._made: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        """The client of a service, for example ``clients["lambda"]``."""
        if service not in self._made:
            self._made[service] = self._make(service)
        return self._made[service]

    def _make(self, service: str) -> Any:
        endpoint = self.settings.endpoint_url
        # An emulator's buckets have no host names of their own.
        s3: Any = {"addressing_style": "path"} if endpoint else {}
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        config = Config(retries=retries, s3=s3, user_agent_extra="pypicloud-s3sync")
        if service == "dynamodb":
            return self._make_dynamo(endpoint, config)
        return self.session.client(service, region_name=self.region, endpoint_url=endpoint, config=config)

    def _make_dynamo(self, endpoint: str | None, config: Config) -> Any:
        """The tables may be in another region, behind other credentials, or at ``db.host``."""
        db = self.settings.cache_settings
        session = _session(self.settings.db_credentials or self.settings.credentials, self.settings.db_region)
        if "db.host" in db:
            secure = db.get("db.secure", "false").strip().lower() in ("true", "yes", "on", "1", "t", "y")
            # The default port is pypicloud's: pypicloud/cache/dynamo.py, DynamoCache.configure.
            endpoint = f"{'https' if secure else 'http'}://{db['db.host']}:{db.get('db.port', '8000')}"
        return session.client("dynamodb", endpoint_url=endpoint, config=config)


def _session(credentials: Credentials | None, region: str | None) -> Any:
    if credentials is None:
        return boto3.session.Session(region_name=region)
    return boto3.session.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        region_name=region,
    )

"""Refuse the address of a server that only this machine can reach."""

from __future__ import annotations

import ipaddress

from ..exceptions import ConfigError


def check_reachable(setting: str, host: str) -> None:
    """Raise an error if a host is this machine, which a Lambda function cannot reach."""
    if _is_this_machine(host.strip().strip("[]").rstrip(".").lower()):
        raise ConfigError(
            f"{setting} is on {host}, which a Lambda function cannot reach: set an address that AWS can reach"
            " (for an AWS emulator on this machine, set s3sync.endpoint_url)"
        )


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in ("localhost", "localhost.localdomain") or host.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)

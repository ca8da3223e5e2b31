"""Describe what ``enable`` would create as a template, for teams that deploy by review, without calling AWS.

:mod:`.resources` derives the resources from the settings, as ``enable`` does, so no value is defined twice.
:mod:`.cloudformation` and :mod:`.terraform` write them down.

A template leaves out the bucket's notifications. They belong to many owners, and both tools replace them as
a whole. It also leaves out the function's tags that record a run: its code, its delivery, and who turned on
EventBridge. ``enable`` adds both. It finds the rest as the template creates it, because names and tags are
the same.
"""

from __future__ import annotations

import enum
from typing import Any

from ...config.settings import SyncSettings
from .cloudformation import cloudformation
from .resources import created_resources
from .terraform import terraform

__all__ = ["TOOLS", "Format", "template"]


class Format(enum.StrEnum):
    """The format of a template."""

    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"


#: The tools that deploy a template.
TOOLS = {Format.CLOUDFORMATION: "CloudFormation", Format.TERRAFORM: "Terraform"}


def template(settings: SyncSettings, form: Format) -> dict[str, Any]:
    """Return a template of what ``enable`` would create, as parsed JSON.

    Parameters
    ----------
    settings : SyncSettings
    form : Format

    Raises
    ------
    ConfigError
        If the settings do not name the region, or the template would contain a password.
    """
    write = {Format.CLOUDFORMATION: cloudformation, Format.TERRAFORM: terraform}[form]
    return write(created_resources(settings))

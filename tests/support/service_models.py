"""Check calls of AWS clients against botocore's models, as botocore's own Stubber does."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.loaders import create_loader
from botocore.model import ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator


@dataclass(frozen=True)
class ClientModel:
    """The operations of a service's client with their input shapes."""

    service: str
    inputs: Mapping[str, Shape | None]

    def check_operation(self, operation: str) -> None:
        """Fail if the client has no such operation."""
        if operation not in self.inputs:
            raise AssertionError(f"the {self.service} client has no operation {operation!r}")

    def check_arguments(self, operation: str, arguments: Mapping[str, Any]) -> None:
        """Fail if an operation does not accept the arguments."""
        shape = self.inputs[operation] or StructureShape("NoInput", {"type": "structure", "members": {}})
        report = ParamValidator().validate(arguments, shape)
        if report.has_errors():
            raise AssertionError(
                f"invalid arguments of {self.service}.{operation}: {report.generate_report()}"
            )


@functools.cache
def client_model(service: str) -> ClientModel:
    """Return the model of a service's client; loading a model is slow, so the process keeps it."""
    loader = create_loader()
    try:
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
    except UnknownServiceError:
        raise AssertionError(f"boto3 has no client for the service {service!r}") from None
    inputs = {xform_name(name): model.operation_model(name).input_shape for name in model.operation_names}
    return ClientModel(service, inputs)

"""The clients of AWS's API that a deployment needs beside the engine."""

from typing import Any

from infra.deployment.errors import DeploymentError


def connect(service: str, region: str) -> Any:
    """A client of a service of AWS, with the credentials that its own tools take. Raises DeploymentError."""
    # Plans and hosts do without the SDK.
    try:
        import boto3  # noqa: PLC0415
    except ModuleNotFoundError:
        raise DeploymentError(
            f"the service {service} of AWS is asked by the package boto3: pip install 'reme-cloud[infra]'"
        ) from None
    return boto3.client(service, region_name=region)

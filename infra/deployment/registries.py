"""The registry of a stack on AWS: which images it has, and the sign-in that a push needs."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.deployment.errors import DeploymentError
from infra.deployment.sdk import connect

REPOSITORY_TYPE = "aws:ecr/repository:Repository"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """A registry's host, and who pushes to it; the password ends after twelve hours (ECR, GetAuthorizationToken)."""

    host: str
    user: str
    password: str = field(repr=False)


class ImageRepository(Protocol):
    """Where the images of one stack are."""

    def has(self, tag: str) -> bool:
        """Whether there is an image of this tag."""
        ...

    def sign_in(self) -> SignIn:
        """A sign-in for a push."""
        ...


ConnectRepository = Callable[[str, str], ImageRepository]
"""From the repository's URL (HOST/NAME) and its region."""


class EcrRepository:
    """A repository of ECR. Methods raise DeploymentError where AWS does not answer."""

    def __init__(self, url: str, region: str) -> None:
        self._host, _, self._name = url.partition("/")
        self._client = connect("ecr", region)

    def has(self, tag: str) -> bool:
        """Whether there is an image of this tag."""
        missing = self._client.exceptions.ImageNotFoundException
        try:
            found = self._ask("describe_images", repositoryName=self._name, imageIds=[{"imageTag": tag}])
        except missing:
            return False
        return bool(found["imageDetails"])

    def sign_in(self) -> SignIn:
        """A sign-in for a push."""
        (given,) = self._ask("get_authorization_token")["authorizationData"]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        return SignIn(host=self._host, user=user, password=password)

    def _ask(self, action: str, **asked: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see sdk.connect

        try:
            return getattr(self._client, action)(**asked)
        except self._client.exceptions.ImageNotFoundException:
            raise
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(f"the registry {self._host}/{self._name} cannot be asked: {error}") from error


def find_repository(resources: Sequence[Mapping[str, Any]]) -> str:
    """The URL of the repository in a stack's state, without a tag; empty before it is made."""
    urls = (each.get("outputs", {}).get("repositoryUrl") for each in resources if each["type"] == REPOSITORY_TYPE)
    return next((str(url) for url in urls if url), "")

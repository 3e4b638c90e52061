"""The registry of a stack: where it is, which images it has, and the sign-in that a push needs. On AWS it is ECR."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.deployment.errors import DeploymentError
from infra.deployment.sdk import connect

REPOSITORY_TYPE = "aws:ecr/repository:Repository"
REGISTRY_COMPONENT = "reme:alicloud:Registry"
"""The registry of a stack on Alibaba Cloud, whose output `url` is known once its repository is there. The provider does
not say where a repository is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """A registry's host, and who pushes to it; ECR's password ends after twelve hours (its GetAuthorizationToken)."""

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
"""From the repository's URL, HOST/NAME or HOST/NAMESPACE/NAME, and its region."""


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
    urls = (_read_url(each["type"], each.get("outputs") or {}) for each in resources)
    return next((url for url in urls if url), "")


def _read_url(kind: str, made: Mapping[str, Any]) -> str:
    """The URL that a push from outside the cloud takes, of what the state has of a resource."""
    name = {REPOSITORY_TYPE: "repositoryUrl", REGISTRY_COMPONENT: "url"}.get(kind, "")
    return str(made.get(name) or "")

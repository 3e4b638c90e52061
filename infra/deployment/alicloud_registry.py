"""The registry of a stack on Alibaba Cloud: which images it has, and the sign-in that a push needs."""

from infra.deployment.alicloud_api import AlicloudApi
from infra.deployment.errors import DeploymentError
from infra.deployment.registries import SignIn

REGISTRY = ("cr", "2016-06-07")
"""Container Registry's personal edition (its API reference of this version, read 2026-11-23)."""
PAGE_TAGS = 100


class AcrRepository:
    """A repository of Container Registry's personal edition. Methods raise DeploymentError where it does not answer."""

    def __init__(self, url: str, region: str) -> None:
        self._host, _, name = url.partition("/")
        self._namespace, _, self._name = name.partition("/")
        if not self._namespace or not self._name:
            raise DeploymentError(f"the registry {url!r} is no HOST/NAMESPACE/NAME")
        self._api = AlicloudApi(*REGISTRY, region)

    def has(self, tag: str) -> bool:
        """Whether there is an image of this tag."""
        place, page, seen = f"/repos/{self._namespace}/{self._name}/tags", 1, 0
        while True:
            found = self._api.ask("GetRepoTags", {"Page": str(page), "PageSize": str(PAGE_TAGS)}, path=place)
            data = found.get("data") or {}
            tags = [str(each.get("tag")) for each in data.get("tags") or ()]
            if tag in tags:
                return True
            seen += len(tags)
            if not tags or seen >= int(data.get("total") or 0):
                return False
            page += 1

    def sign_in(self) -> SignIn:
        """A sign-in for a push, for an hour at most, and no longer than the key that asks for it."""
        given = self._api.ask("GetAuthorizationToken", path="/tokens").get("data") or {}
        user, password = str(given.get("tempUserName") or ""), str(given.get("authorizationToken") or "")
        if not user or not password:
            raise DeploymentError(f"the registry {self._host} gave no sign-in")
        return SignIn(host=self._host, user=user, password=password)

"""The image of a cluster's version: built or taken from an archive, and pushed to the stack's own registry."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.deployment.builders import CONTAINERFILE, Builder, find_builder
from infra.deployment.engine import DeployedStack
from infra.deployment.errors import BadRequest, ImageMissing
from infra.deployment.registries import ConnectRepository, ImageRepository, find_repository
from infra.planning import StackPlan

REGISTRY_TARGETS = tuple(f"**::reme:{cloud}:{part}**" for cloud in ("aws", "alicloud") for part in ("Keys", "Registry"))
"""What `deploy_registry` makes, by URN, so that an update by it leaves all else as it is."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A version of a stack and its registry. `folder` has the Containerfile, `architecture` is that of the nodes.

    `connect` opens the registry, `find` a tool that builds; `say` takes lines of progress.
    """

    stack: DeployedStack
    folder: Path
    region: str
    version: str
    architecture: str
    say: Callable[[str], None]
    connect: ConnectRepository
    find: Callable[[], Builder] = field(default=find_builder)

    def is_missing(self) -> bool:
        """Whether the registry lacks the image, or is not there yet."""
        url = self._find_url()
        return not url or not self._open(url).has(self.version)

    def check(self, archive: Path | None = None) -> Builder:
        """The tool that would make the image. Raises NoImageTool, or BadRequest where there is nothing to build."""
        if archive is None and not (self.folder / CONTAINERFILE).is_file():
            raise BadRequest(
                f"{self.folder} has no {CONTAINERFILE} to build the image of: give an archive with --from-archive to "
                "`reme-deploy image`, or name an image in `service.image`"
            )
        return self.find()

    def publish(self, archive: Path | None = None) -> bool:
        """Push the image, after the registry is made where there is none; returns whether it was not there already.

        Raises NoImageTool, ImageFailed, EngineFailed or BadRequest.
        """
        url = self._find_url()
        if url and self._open(url).has(self.version):
            return False
        builder = self.check(archive)
        if not url:
            from infra.program import deploy_registry  # noqa: PLC0415 - it loads all clouds' resources

            self._tell("making the registry first")
            self.stack.up(program=deploy_registry, targets=REGISTRY_TARGETS)
            url = self._find_url()
        sign_in = self._open(url).sign_in()
        image = f"{url}:{self.version}"
        if archive is None:
            self._tell(f"building {image} for {self.architecture} with {builder.name}")
            builder.build(image, self.folder, self.architecture)
        else:
            builder.load(image, archive)
        self._tell(f"pushing {image}")
        builder.push(image, sign_in)
        return True

    def _find_url(self) -> str:
        return find_repository(self.stack.resources())

    def _open(self, url: str) -> ImageRepository:
        return self.connect(url, self.region)

    def _tell(self, line: str) -> None:
        self.say(f"{self.stack.name}: {line}")


def needs_image(planned: StackPlan, *, image: str) -> bool:
    """Whether a stack runs an image of its own registry: a cluster that no `image` is named for."""
    return planned.region.compute.placement != "host" and not image


def name_architecture(planned: StackPlan) -> str:
    """The architecture of a plan's nodes, as images name it."""
    found = planned.region.compute.architecture
    return {"x86_64": "amd64"}.get(found, found)


def require_image(stack: DeployedStack, version: str, region: str, connect: ConnectRepository) -> None:
    """Raise ImageMissing where the stack has a registry and the version is not in it."""
    url = find_repository(stack.resources())
    if url and not connect(url, region).has(version):
        raise ImageMissing(stack.name, version)

"""What goes wrong while stacks are deployed. Each message names what happened and the remedy."""

from collections.abc import Sequence

from infra.errors import InfraError


class DeploymentError(InfraError):
    """A deployment cannot go on. `exit_code` is what the command ends with."""

    exit_code = 1


class BadRequest(DeploymentError):
    """What was asked for makes no sense here."""

    exit_code = 2


class UnknownTarget(BadRequest):
    """There is no stack and no environment of this name."""

    def __init__(self, name: str, stacks: Sequence[str], environments: Sequence[str], near: str) -> None:
        hint = f" Did you mean {near}?" if near else ""
        super().__init__(
            f"there is no stack and no environment {name!r}.{hint} Stacks: {', '.join(stacks)}; "
            f"environments: {', '.join(environments)}"
        )


class EngineMissing(DeploymentError):
    """There is no `pulumi` to run."""

    def __init__(self, looked_in: str) -> None:
        super().__init__(
            f"the engine `pulumi` is neither on PATH nor in {looked_in}: install Pulumi, or build it with "
            "`bash tools/install-pulumi.sh`"
        )


class EngineFailed(DeploymentError):
    """The engine gave up; the message has the lines in which it says why, `failed` the types of what it failed at."""

    def __init__(self, stack: str, action: str, said: str, failed: Sequence[str] = ()) -> None:
        super().__init__(f"{stack}: {action} failed: {said}")
        self.failed = tuple(failed)


class NotDeployed(BadRequest):
    """The stack has never been deployed."""

    def __init__(self, stack: str) -> None:
        super().__init__(f"stack {stack} is not deployed: `reme-deploy up {stack}` deploys it")


class NoImageTool(DeploymentError):
    """Nothing here builds images; `found` says of each tool why not."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(
            f"nothing here can build an image: {'; '.join(found)}. Install or start one of them, push the image from "
            "another machine and give --no-image, or name one that the cluster can pull in `service.image`"
        )


class ImageFailed(DeploymentError):
    """An image was not built or not pushed; the tool's own lines were shown before."""

    def __init__(self, image: str, action: str, said: str) -> None:
        super().__init__(f"image {image}: {action} failed: {said}")


class ImageMissing(BadRequest):
    """A version has no image in the stack's registry."""

    def __init__(self, stack: str, version: str) -> None:
        super().__init__(
            f"{stack}: its registry has no image {version}: `reme-deploy image {stack} --version {version}` pushes one"
        )


class NotHealthy(DeploymentError):
    """A version that was put in its place does not get healthy."""

    def __init__(self, what: str, limit_s: float) -> None:
        super().__init__(f"{what} is not healthy after {limit_s:.0f} s")


class GivenUp(DeploymentError):
    """A host, or `who` else tried a version, went on with the one before."""

    def __init__(self, version: str, status: str, who: str = "the host") -> None:
        super().__init__(f"{who} gave version {version} up ({status}), and what ran before goes on; its log says why")


class RollbackFailed(DeploymentError):
    """Traffic could not be given back to the version before."""

    def __init__(self, reason: str, error: Exception) -> None:
        super().__init__(
            f"{reason}, and the rollback failed: {error}. Traffic may still reach the new version: "
            "run `reme-deploy rollback` as soon as that is repaired"
        )


class RolledBack(DeploymentError):
    """The new version failed, and traffic goes to the one before: a finding, not a failure of ours."""

    exit_code = 3

    def __init__(self, stack: str, version: str, percent: int, reason: str) -> None:
        super().__init__(f"{stack}: version {version} was rolled back at {percent} % of the traffic: {reason}")

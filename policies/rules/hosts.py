"""How machines, containers and images are locked down."""

from collections.abc import Iterable

from policies import kinds
from policies.containers import read_containers, read_script
from policies.properties import Requirement, is_true, one_of, read_one, requiring, show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from sizing.graph.resources import Resource, is_unknown

METADATA = requiring(
    (
        *(
            Requirement(kind=kind, path=path, accepts=one_of("required"), wanted="required")
            for kind, path in (
                (kinds.AWS_INSTANCE, "metadataOptions.httpTokens"),
                (kinds.AWS_LAUNCH_TEMPLATE, "metadataOptions.httpTokens"),
                (kinds.ALI_INSTANCE, "httpTokens"),
                (kinds.ALI_LAUNCH_TEMPLATE, "httpTokens"),
            )
        ),
        Requirement(
            kind=kinds.AWS_LAUNCH_TEMPLATE,
            path="metadataOptions.httpPutResponseHopLimit",
            accepts=one_of(None, 1),
            wanted="1",
        ),
    ),
    id="metadata-needs-a-token",
    family="hosts",
    title="A machine's metadata, and so its role's keys, are given out for a token only (IMDSv2)",
    severity="high",
    remedy="Set httpTokens to required, and the hop limit to 1.",
    frameworks=("EC2.8", "AutoScaling.3", "CKV_AWS_79", "CKV_AWS_341"),
)


_ASKS_ITSELF = ("ModifyInstanceMetadataOptions", "HttpTokens")
"""What the first script of a machine has that has its own metadata given out for a token alone."""


def _check_scaled(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    endpoint, script = read_one(resource, "httpEndpoint"), read_script(resource)
    if endpoint == "disabled":
        return
    if is_unknown(endpoint) or is_unknown(script):
        yield undecided(resource, "its first script" if is_unknown(script) else "httpEndpoint")
    elif not all(word in script for word in _ASKS_ITSELF):
        yield breach(resource, endpoint=show(endpoint))


SCALED_METADATA = Rule(
    id="scaled-machines-ask-for-a-token",
    family="hosts",
    title="Machines of a scaling configuration give out their metadata for a token only",
    severity="high",
    message="{where}: httpEndpoint is {endpoint}, and no script of its machines calls ModifyInstanceMetadataOptions",
    remedy="A scaling configuration has no httpTokens: let each machine call ModifyInstanceMetadataOptions with "
    "HttpTokens required when it starts, start machines from a launch template, or turn the endpoint off.",
    kinds=frozenset({kinds.ALI_SCALING}),
    frameworks=("EC2.8", "AutoScaling.3"),
    check=_check_scaled,
)


def _check_containers(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    containers = read_containers(resource)
    if containers is None:
        yield undecided(resource, "its containers")
        return
    for each in containers:
        for name, given, good in (
            ("privileged", each.get("privileged"), (None, False)),
            ("readonlyRootFilesystem", each.get("readonlyRootFilesystem"), (True,)),
        ):
            if is_unknown(given):
                yield undecided(resource, name)
            elif given not in good:
                yield breach(resource, container=each.get("name"), reason=f"{name} is {show(given)}")
        user = each.get("user")
        if not is_unknown(user) and str(user).partition(":")[0] in ("0", "root"):
            yield breach(resource, container=each.get("name"), reason="it runs as root")


CONTAINERS = Rule(
    id="containers-are-confined",
    family="hosts",
    title="Containers are not privileged, do not run as root, and cannot change their image",
    severity="high",
    message="{where}: container {container}: {reason}",
    remedy="Set privileged to false, readonlyRootFilesystem to true, and a user without privileges.",
    kinds=frozenset({kinds.AWS_TASK}),
    frameworks=("ECS.4", "ECS.5", "CKV_AWS_334", "CKV_AWS_336"),
    check=_check_containers,
)
IMAGES = requiring(
    (
        Requirement(
            kind=kinds.AWS_REGISTRY, path="imageScanningConfiguration.scanOnPush", accepts=is_true, wanted="true"
        ),
        Requirement(
            kind=kinds.AWS_REGISTRY, path="imageTagMutability", accepts=one_of("IMMUTABLE"), wanted="IMMUTABLE"
        ),
    ),
    id="images-are-scanned-and-fixed",
    family="hosts",
    title="Images are scanned, and a tag stays what it was",
    severity="medium",
    remedy="Turn scanOnPush on, and make tags immutable.",
    frameworks=("ECR.1", "ECR.2", "CKV_AWS_163", "CKV_AWS_51"),
)
RULES = (METADATA, SCALED_METADATA, CONTAINERS, IMAGES)

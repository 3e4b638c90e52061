"""The registry of the service's images."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
import pulumi_random as random

from infra.naming import fix_name
from infra.tagging import Tags

LONGEST_NAME, DIGITS_BYTES = 30, 4
"""Characters of a namespace's and of a repository's name (the provider's pages of Namespace and Repo)."""
SUMMARY = 80
"""Characters of a repository's summary (the provider's page of Repo)."""
REPOSITORY = "reme"


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`account` is the account's id. With `host` images are at another name than the region's: newer instances of the
    personal edition have one of their own, such as ``crpi-….<region>.personal.cr.aliyuncs.com``, which the console
    shows."""

    region: str
    account: str
    tags: Tags
    protect: bool
    host: str = ""


class Registry(pulumi.ComponentResource):
    """A private repository of Container Registry's personal edition.

    The plan's bill has the GB of images alone; the enterprise edition is a subscription, which nothing here orders.
    The personal edition has no promise of availability, limits of traffic and of the number of repositories, no scan,
    no tag that cannot be moved, no rule by which old images expire, no key of one's own and no tags of resources: a
    version is pushed once by `reme-deploy` and older ones are deleted by hand. The account has switched it on and set a
    password for it in the console before (the provider's page of Namespace).

    Attributes: ``url`` (without a tag, for a push), ``inner_url`` (the same inside a network, where traffic costs
    nothing) and ``arn``, all of one repository.
    """

    url: pulumi.Output[str]
    inner_url: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Registry", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self, protect=args.protect)
        digits = random.RandomId(f"{name}-digits", byte_length=DIGITS_BYTES, opts=pulumi.ResourceOptions(parent=self))
        # Names are those of a whole region.
        prefix = fix_name(args.tags.stack, name, LONGEST_NAME - 1 - 2 * DIGITS_BYTES)
        namespace = alicloud.cr.Namespace(
            f"{name}-namespace",
            name=pulumi.Output.concat(f"{prefix}-", digits.hex),
            auto_create=False,
            default_visibility="PRIVATE",
            opts=child,
        )
        repository = alicloud.cr.Repo(
            f"{name}-images",
            namespace=namespace.name,
            name=REPOSITORY,
            summary=f"{args.tags.stack}: the memory service"[:SUMMARY],
            repo_type="PRIVATE",
            opts=child,
        )
        # An address is known once the repository is there, so that nothing is pushed or pulled before.
        place = pulumi.Output.concat(repository.namespace, "/", repository.name)
        hosts = (args.host, inner_host(args.host)) if args.host else name_hosts(args.region)
        self.url, self.inner_url = (pulumi.Output.concat(f"{host}/", place) for host in hosts)
        self.arn = pulumi.Output.concat(f"acs:cr:{args.region}:{args.account}:repository/", place)
        self.register_outputs({"url": self.url, "inner_url": self.inner_url, "arn": self.arn})


def name_hosts(region: str) -> tuple[str, str]:
    """The registry's names, for everyone and inside networks (`infra/data/alicloud_facts_cluster.csv`).

    The provider's own list of them stays empty: it hands a map to what its schema has as a list.
    """
    return f"registry.{region}.aliyuncs.com", f"registry-vpc.{region}.aliyuncs.com"


def inner_host(host: str) -> str:
    """The name inside networks of an instance of the personal edition: ``-vpc`` behind its first label."""
    label, _, rest = host.partition(".")
    return f"{label}-vpc.{rest}"

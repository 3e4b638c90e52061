"""OpenSearch, for plans whose vectors are in Elasticsearch's API."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.fixed_names import make_log_group
from infra.aws.host import GP3_MBPS
from infra.aws.traffic import HTTPS_PORT, admit_group, make_group
from infra.errors import NotEnoughZones
from infra.naming import fix_name
from infra.tagging import Tags
from sizing.plan import VectorStoreSpec

VERSION = "OpenSearch_2.19"
TLS_POLICY = "Policy-Min-TLS-1-2-PFS-2023-10"
"""The strictest of OpenSearch's policies."""
USER = "reme"
GP3_IOPS = 3000
"""What gp3 includes (EBS price page); the bill has no line for more."""
LONGEST_NAME = 28
MOST_ZONES = 3
LOGS = ("ES_APPLICATION_LOGS", "AUDIT_LOGS")
"""Slow logs are left out: they quote queries, which are texts of users."""
_METHODS = ("Delete", "Get", "Head", "Post", "Put")


@dataclass(frozen=True, kw_only=True)
class SearchDomainArgs:
    """`subnet_ids` lie in different zones: three, or two where the number of nodes is even.

    `password` is the user's, with a capital, a small letter, a digit and a special character among at least eight
    (OpenSearch's rule). Members of `client_security_group_ids` may connect.
    """

    spec: VectorStoreSpec
    region: str
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_security_group_ids: Sequence[pulumi.Input[str]]
    password: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str] | None
    log_key_arn: pulumi.Input[str] | None
    log_days: int
    tags: Tags
    protect: bool


class SearchDomain(pulumi.ComponentResource):
    """A domain inside the network, encrypted at rest and between its nodes, with one user.

    The account needs the role AWSServiceRoleForAmazonOpenSearchService once, which belongs to no stack.
    Attributes: `url`, `user`, `arn`, `domain_name`, `security_group_id`. Raises NotEnoughZones.
    """

    url: pulumi.Output[str]
    user: str
    arn: pulumi.Output[str]
    domain_name: str
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: SearchDomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:SearchDomain", name, {}, opts)
        nodes = args.spec.nodes
        zones = choose_zones(nodes, len(args.subnet_ids), args.region)
        self.domain_name = fix_name(args.tags.stack, name, LONGEST_NAME)
        group = make_group(
            f"{name}-group",
            vpc_id=args.vpc_id,
            purpose="The search domain",
            component="vector-store",
            tags=args.tags,
            parent=self,
        )
        for number, client in enumerate(args.client_security_group_ids, start=1):
            admit_group(
                f"{name}-client-{number}", group, source_id=client, port=HTTPS_PORT, purpose="The service", parent=self
            )
        logs = self._make_logs(name, args)
        domain = aws.opensearch.Domain(
            f"{name}-domain",
            domain_name=self.domain_name,
            engine_version=VERSION,
            cluster_config=aws.opensearch.DomainClusterConfigArgs(
                instance_type=args.spec.instance_class,
                instance_count=nodes,
                zone_awareness_enabled=zones > 1,
                zone_awareness_config=aws.opensearch.DomainClusterConfigZoneAwarenessConfigArgs(
                    availability_zone_count=zones
                )
                if zones > 1
                else None,
            ),
            ebs_options=aws.opensearch.DomainEbsOptionsArgs(
                ebs_enabled=True,
                volume_type="gp3",
                volume_size=args.spec.disk_gb,
                iops=GP3_IOPS,
                throughput=GP3_MBPS,
            ),
            vpc_options=aws.opensearch.DomainVpcOptionsArgs(
                subnet_ids=list(args.subnet_ids)[:zones], security_group_ids=[group.id]
            ),
            encrypt_at_rest=aws.opensearch.DomainEncryptAtRestArgs(enabled=True, kms_key_id=args.kms_key_arn),
            node_to_node_encryption=aws.opensearch.DomainNodeToNodeEncryptionArgs(enabled=True),
            domain_endpoint_options=aws.opensearch.DomainDomainEndpointOptionsArgs(
                enforce_https=True, tls_security_policy=TLS_POLICY
            ),
            advanced_security_options=aws.opensearch.DomainAdvancedSecurityOptionsArgs(
                enabled=True,
                internal_user_database_enabled=True,
                master_user_options=aws.opensearch.DomainAdvancedSecurityOptionsMasterUserOptionsArgs(
                    master_user_name=USER, master_user_password=pulumi.Output.secret(args.password)
                ),
            ),
            access_policies=self._admit_clients(args),
            log_publishing_options=logs,
            software_update_options=aws.opensearch.DomainSoftwareUpdateOptionsArgs(auto_software_update_enabled=True),
            tags=args.tags.named("vector-store"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.url = pulumi.Output.concat("https://", domain.endpoint)
        self.user, self.arn, self.security_group_id = USER, domain.arn, group.id
        self.register_outputs({"url": self.url})

    def _admit_clients(self, args: SearchDomainArgs) -> pulumi.Output[str]:
        """The domain's own users decide who may do what; the network decides who gets to it."""
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        return pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "*"},
                        "Action": [f"es:ESHttp{method}" for method in _METHODS],
                        "Resource": pulumi.Output.concat(
                            f"arn:aws:es:{args.region}:", account, f":domain/{self.domain_name}/*"
                        ),
                    }
                ],
            }
        )

    def _make_logs(
        self, name: str, args: SearchDomainArgs
    ) -> pulumi.Output[list[aws.opensearch.DomainLogPublishingOptionArgs]]:
        groups = [
            make_log_group(
                f"{name}-{kind.lower().replace('_', '-')}",
                f"/aws/opensearch/{self.domain_name}/{kind.lower()}",
                days=args.log_days,
                kms_key_arn=args.log_key_arn,
                component="vector-store",
                tags=args.tags,
                parent=self,
            )
            for kind in LOGS
        ]
        allowed = aws.cloudwatch.LogResourcePolicy(
            f"{name}-log-policy",
            policy_name=f"{self.domain_name}-opensearch",
            policy_document=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "es.amazonaws.com"},
                            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                            "Resource": [pulumi.Output.concat(group.arn, ":*") for group in groups],
                        }
                    ],
                }
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # OpenSearch tries to write when it is told of a group, so the permission comes first.
        return pulumi.Output.all(allowed.id, *[group.arn for group in groups]).apply(
            lambda known: [
                aws.opensearch.DomainLogPublishingOptionArgs(log_type=kind, cloudwatch_log_group_arn=arn)
                for kind, arn in zip(LOGS, known[1:], strict=True)
            ]
        )


def choose_zones(nodes: int, subnets: int, region: str) -> int:
    """How many zones a domain spreads over: OpenSearch takes two for an even number of nodes only.

    Raises NotEnoughZones where an odd number of nodes has fewer than three subnets.
    """
    if nodes == 1:
        return 1
    zones = min(nodes, subnets, MOST_ZONES)
    if zones < MOST_ZONES and nodes % 2:
        raise NotEnoughZones(region, subnets, MOST_ZONES)
    return zones

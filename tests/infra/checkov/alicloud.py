"""Resources of Alibaba Cloud as Terraform's: those of the types that Checkov has checks of.

Checkov sees nothing of the others, so they are left out; a test holds the table against Checkov's own list.
"""

import csv
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.infra.checkov.scan import Finding
from tests.infra.checkov.translation import Dialect, Translated
from tests.infra.recorder import Recorded

TYPES = {
    "alicloud:actiontrail/trail:Trail": "alicloud_actiontrail_trail",
    "alicloud:alb/aclEntryAttachment:AclEntryAttachment": "alicloud_alb_acl_entry_attachment",
    "alicloud:apigateway/api:Api": "alicloud_api_gateway_api",
    "alicloud:cs/kubernetes:Kubernetes": "alicloud_cs_kubernetes",
    "alicloud:cs/nodePool:NodePool": "alicloud_cs_kubernetes_node_pool",
    "alicloud:ecs/disk:Disk": "alicloud_disk",
    # The provider's own successor of alicloud_disk, by the name that Checkov knows: what it reads is the same.
    "alicloud:ecs/ecsDisk:EcsDisk": "alicloud_disk",
    "alicloud:ecs/ecsLaunchTemplate:EcsLaunchTemplate": "alicloud_ecs_launch_template",
    "alicloud:ecs/securityGroupRule:SecurityGroupRule": "alicloud_security_group_rule",
    "alicloud:kms/key:Key": "alicloud_kms_key",
    "alicloud:log/audit:Audit": "alicloud_log_audit",
    "alicloud:mongodb/instance:Instance": "alicloud_mongodb_instance",
    "alicloud:oss/bucket:Bucket": "alicloud_oss_bucket",
    "alicloud:oss/bucketAcl:BucketAcl": "alicloud_oss_bucket_acl",
    "alicloud:ram/accountPasswordPolicy:AccountPasswordPolicy": "alicloud_ram_account_password_policy",
    "alicloud:ram/securityPreference:SecurityPreference": "alicloud_ram_security_preference",
    "alicloud:rds/instance:Instance": "alicloud_db_instance",
    "alicloud:slb/tlsCipherPolicy:TlsCipherPolicy": "alicloud_slb_tls_cipher_policy",
}
"""Terraform's type of each type of Pulumi that a check reads (the provider's list of resources, 1.289)."""


def _list_made_up(each: Recorded) -> dict[str, str]:
    bucket = each.props.get("bucket") if each.type == "alicloud:oss/bucket:Bucket" else None
    return {f"{each.name}-id": "id"} | ({str(bucket): "bucket"} if bucket else {})


ALICLOUD = Dialect(name_type=lambda type_: TYPES.get(type_, ""), list_made_up=_list_made_up)


@dataclass(frozen=True, kw_only=True)
class AlicloudRule:
    """A check of Checkov's and what the stacks show.

    `verdict` is `passed` (fails nowhere), `waived` (fails at `where` only: a whole-match pattern of
    `<stack>/<address>`, an alternative of a stack having the stack's name before its own) or `not-applicable` (no
    stack has a resource of its types). `condition` narrows the verdict, such as `engine: MySQL SQLServer`.
    """

    id: str
    name: str
    resource: str
    condition: str
    verdict: str
    where: str
    reason: str
    source: str
    date: date

    def reads(self, resource: Translated) -> bool:
        """Whether the verdict is about such a resource."""
        name, _, values = self.condition.partition(": ")
        return resource.type in self.resource.split() and (not name or str(resource.values.get(name)) in values.split())

    def excuses(self, finding: Finding, resource: Translated) -> bool:
        """Whether a resource's failure is one that is accepted."""
        place = f"{finding.plan}/{finding.resource}"
        return self.verdict == "waived" and self.reads(resource) and re.fullmatch(self.where, place) is not None


def read_alicloud_rules() -> list[AlicloudRule]:
    """Every check of Alibaba Cloud that Checkov has, in the table's order."""
    path = Path(__file__).parent / "alicloud_rules.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [AlicloudRule(**row | {"date": date.fromisoformat(row["date"])}) for row in csv.DictReader(file)]  # type: ignore[arg-type]

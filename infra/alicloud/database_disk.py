"""How the disk of a database is encrypted, and with whose key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.naming import fix_name
from infra.service.rendering import write_json

DEDICATED = ("pg.x",)
"""How dedicated classes begin. General-purpose ones take RDS's own key alone (RDS for PostgreSQL, "Configure disk
encryption"; "Primary instance types")."""
ENCRYPTION_ROLE = "aliyunrdsinstanceencryptiondefaultrole"
"""RDS and Tair ask the key service with this role, which the console makes when an account lets them use keys (RDS,
CreateDBInstance)."""
LONGEST_TEMPLATE = 200
"""Characters of a name (the provider's page of Template)."""
PATIENCE = "60m"
"""Ours: the instance changes over to an encrypted disk that is still empty."""
PAUSE = "PT2M"
"""Ours: after the call it takes some seconds until the instance is no more `Running`."""


@dataclass(frozen=True, kw_only=True)
class OwnKey:
    """A key of ours, and the role that asks the key service with it."""

    id: pulumi.Input[str]
    role_arn: pulumi.Input[str]


def find_own_key(kms_key_id: pulumi.Input[str] | None, parent: pulumi.Resource) -> OwnKey | None:
    """The key with the account's role; None without a key."""
    if kms_key_id is None:
        return None
    account = alicloud.get_account_output(opts=pulumi.InvokeOutputOptions(parent=parent))
    return OwnKey(id=kms_key_id, role_arn=pulumi.Output.concat("acs:ram::", account.id, f":role/{ENCRYPTION_ROLE}"))


def takes_own_key(instance_class: str) -> bool:
    """Whether the disk of such an instance can be encrypted by a key of ours."""
    return instance_class.startswith(DEDICATED)


def encrypt_by_service(
    name: str, instance_id: pulumi.Output[str], *, stack: str, tags: Mapping[str, str], parent: pulumi.Resource
) -> Sequence[pulumi.Resource]:
    """Encrypt an instance's disk by RDS's own key, which CreateDBInstance does not take; what comes later waits for it.

    An execution of OOS does so once: it is a record, which is forgotten after some weeks and that the stack never
    deletes.
    """
    template = alicloud.oos.Template(
        f"{name}-template",
        template_name=fix_name(stack, name, LONGEST_TEMPLATE),
        content=describe_encryption(),
        auto_delete_executions=True,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    run = alicloud.oos.Execution(
        name,
        template_name=template.template_name,
        description="Encrypts the disk of the database",
        parameters=pulumi.Output.json_dumps({"instanceId": instance_id}),
        tags=tags,
        opts=pulumi.ResourceOptions(
            parent=parent, retain_on_delete=True, custom_timeouts=pulumi.CustomTimeouts(create=PATIENCE)
        ),
    )
    return [run]


def describe_encryption() -> str:
    """The template of OOS that encrypts an instance's disk and waits until it runs again, in JSON.

    The call is that of the provider's own `encryption_key` (ModifyDBInstanceConfig).
    """
    instance = {"RegionId": "{{ ACS::RegionId }}", "DBInstanceId": "{{ instanceId }}"}
    encrypt = {
        "Name": "encryptDisk",
        "Action": "ACS::ExecuteAPI",
        "Properties": {
            "Service": "RDS",
            "API": "ModifyDBInstanceConfig",
            "Parameters": {**instance, "ConfigName": "encryptionKey", "ConfigValue": "ServiceKey"},
        },
    }
    pause = {"Name": "letItBegin", "Action": "ACS::Sleep", "Properties": {"Duration": PAUSE}}
    wait = {
        "Name": "waitForInstance",
        "Action": "ACS::WaitFor",
        "Properties": {
            "Service": "RDS",
            "API": "DescribeDBInstanceAttribute",
            "Parameters": instance,
            "DesiredValues": ["Running"],
            "PropertySelector": "Items.DBInstanceAttribute[].DBInstanceStatus",
        },
    }
    return write_json(
        {
            "FormatVersion": "OOS-2019-06-01",
            "Description": "Encrypt the disk of a database by the service's key",
            "Parameters": {"instanceId": {"Type": "String", "Description": "The instance"}},
            "Tasks": [encrypt, pause, wait],
        }
    )

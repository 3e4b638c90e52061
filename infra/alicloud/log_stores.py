"""The stores of the log service (SLS) that the service's lines end in, and how a host ships its file there.

The service writes one file and masks it itself (`log.mask`). Logtail on the host reads it three times: every request's
line whole for `access`, refused ones for `audit`, and for `application` all other lines with a share of the requests'.
A cluster's nodes do the same. What its balancer and its network write is whole in stores of their own.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
import pulumi_random as random

from infra.alicloud.delivered_logs import DELIVERED, index_delivered
from infra.naming import fix_name
from infra.tables import read_table
from infra.tagging import Tags
from sizing.plan import LogStoreSpec

LOG_FOLDER, LOG_FILE = "/var/log/reme", "reme.log"
"""Where a host's units write (infra/service/templates/reme.service.j2)."""
FIELD = "content"
"""The field that Logtail's simple mode keeps a line in (SLS, "Logtail configurations")."""
REQUEST = r'"logger":"reme\.http"'
"""What a line of a request has; the service writes JSON without spaces (app/telemetry/logs.py)."""
REFUSED = r'"http_status":40[13]\D'
"""Refused for want of a key or of a right (§10.3 unauthorized_access)."""
HEX_DIGITS = "0123456789abcdef"
CHINA, CHINA_DAYS = "cn-", 365
"""How regions in China begin, and §10.2: access logs of a region in China are kept a year at least."""
LONGEST_DAYS = 3649
"""A day more means for ever (the provider's page of Store)."""
LONGEST_PROJECT, DIGITS_BYTES = 63, 4
LONGEST_GROUP = 128
"""Characters of a project's and of a machine group's name (the provider's pages of Project and MachineGroup)."""
TOKENS = ", '\";=()[]{}?@&<>/:\n\t\r"
"""What splits words in an index: SLS's own default."""
KEY_ROLE = "aliyunlogdefaultrole"
"""The role of the account that lets SLS use a key of ours (the provider's page of Store)."""
FIELDS_TABLE = "alicloud_log_fields.csv"


@dataclass(frozen=True, kw_only=True)
class LogStoresArgs:
    """`key_id` encrypts the stores with a key of ours; SLS's own key does else. `account` is the account's id. With
    `keeps_copies` nobody deletes access and audit lines before their time, and a destroyed stack leaves them; in China
    (§10.2) so does every stack but one for development. `delivered` are kinds of lines that services of the
    cloud deliver themselves (`delivered_logs.DELIVERED`): their stores are kept and guarded as access lines are.
    """

    spec: LogStoreSpec
    key_id: pulumi.Input[str] | None
    account: str
    region: str
    tags: Tags
    protect: bool
    keeps_copies: bool
    delivered: Sequence[str] = ()


class LogStores(pulumi.ComponentResource):
    """A project with a store for each kind of line, and the group of machines that write to it.

    Attributes: `project` (its name), `names` of the stores by kind (application, access, audit, and the delivered
    ones), plain text; `arns` by kind; `machine_group`, plain text: what a host calls itself to the log service.
    """

    project: pulumi.Output[str]
    names: dict[str, str]
    arns: dict[str, pulumi.Output[str]]
    machine_group: str

    def __init__(self, name: str, args: LogStoresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:LogStores", name, {}, opts)
        self._name, self._args = name, args
        stack = pulumi.get_stack()
        kept_days = list_days(args.spec, region=args.region)
        kept_days |= dict.fromkeys(args.delivered, kept_days["access"])
        self.names = {kind: DELIVERED.get(kind, kind) for kind in kept_days}
        lasting = pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=must_stay(args))
        digits = random.RandomId(f"{name}-digits", byte_length=DIGITS_BYTES, opts=pulumi.ResourceOptions(parent=self))
        # Names of projects are global.
        prefix = fix_name(stack, name, LONGEST_PROJECT - 1 - 2 * DIGITS_BYTES)
        project_name = pulumi.Output.concat(f"{prefix}-", digits.hex)
        self._project_arn = pulumi.Output.concat(f"acs:log:{args.region}:{args.account}:project/", project_name)
        keep = [store for kind, store in self.names.items() if kind != "application"] if must_stay(args) else []
        project = alicloud.log.Project(
            f"{name}-project",
            project_name=project_name,
            description=f"{stack}: lines of the memory service",
            policy=pulumi.Output.json_dumps(_forbid_deletion(self._project_arn, keep)) if keep else None,
            tags=args.tags.named("logs"),
            opts=lasting,
        )
        self.project = project.project_name.apply(str)
        self.arns = {}
        self.machine_group = fix_name(stack, name, LONGEST_GROUP)
        group = alicloud.log.MachineGroup(
            f"{name}-machines",
            project=self.project,
            name=self.machine_group,
            identify_type="userdefined",
            identify_lists=[self.machine_group],
            opts=pulumi.ResourceOptions(parent=self),
        )
        for kind, days in kept_days.items():
            store = self._make_store(kind, days, lasting if kind != "application" else None)
            if kind not in DELIVERED:
                self._ship(kind, store, group)
        self.register_outputs({"project": self.project, "names": self.names})

    def _make_store(self, kind: str, days: int, opts: pulumi.ResourceOptions | None) -> alicloud.log.Store:
        # the earlier property of the same name, and the shards that the service splits by itself
        child = pulumi.ResourceOptions(parent=self, ignore_changes=["name", "shardCount"])
        store = alicloud.log.Store(
            f"{self._name}-{kind}",
            project_name=self.project,
            logstore_name=self.names[kind],
            retention_period=days,
            shard_count=1,
            auto_split=True,
            max_split_shard_count=8,
            append_meta=True,
            enable_web_tracking=False,
            encrypt_conf=_encrypt(self._args),
            opts=pulumi.ResourceOptions.merge(child, opts),
        )
        alicloud.log.StoreIndex(
            f"{self._name}-{kind}-index",
            project=self.project,
            logstore=store.logstore_name,
            full_text=alicloud.log.StoreIndexFullTextArgs(case_sensitive=False, include_chinese=True, token=TOKENS),
            field_searches=index_delivered(kind, TOKENS) if kind in DELIVERED else [_index(kind)],
            # what is left of a destroyed stack can be searched
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=opts is not None and must_stay(self._args)),
        )
        self.arns[kind] = pulumi.Output.all(self._project_arn, store.id).apply(
            lambda known: f"{known[0]}/logstore/{self.names[kind]}"
        )
        return store

    def _ship(self, kind: str, store: alicloud.log.Store, group: alicloud.log.MachineGroup) -> None:
        child = pulumi.ResourceOptions(parent=self)
        config = alicloud.log.LogTailConfig(
            f"{self._name}-{kind}-config",
            project=self.project,
            logstore=store.logstore_name,
            name=kind,
            input_type="file",
            output_type="LogService",
            input_detail=json.dumps(describe_input(choose_lines(kind, self._args.spec.sample_share)), sort_keys=True),
            opts=child,
        )
        alicloud.log.LogTailAttachment(
            f"{self._name}-{kind}-attachment",
            project=self.project,
            logtail_config_name=config.name,
            machine_group_name=group.name,
            opts=child,
        )


def _index(kind: str) -> alicloud.log.StoreIndexFieldSearchArgs:
    """What a line can be searched and counted by: requests' lines by their fields, others, which need not be JSON, as
    text."""
    fields = None
    if kind != "application":
        fields = [
            alicloud.log.StoreIndexFieldSearchJsonKeyArgs(name=row["name"], type=row["type"])
            for row in read_table(FIELDS_TABLE)
        ]
    return alicloud.log.StoreIndexFieldSearchArgs(
        name=FIELD,
        type="json" if fields else "text",
        token=TOKENS,
        include_chinese=True,
        enable_analytics=True,
        json_keys=fields,
    )


def list_days(spec: LogStoreSpec, *, region: str) -> dict[str, int]:
    """For how many days each kind of line is kept, by kind."""
    least = CHINA_DAYS if region.startswith(CHINA) else 1
    days = {
        "application": spec.application_days,
        "access": max(spec.access_days, least),
        "audit": max(spec.audit_days, least),
    }
    return {kind: min(found, LONGEST_DAYS) for kind, found in days.items()}


def must_stay(args: LogStoresArgs) -> bool:
    """Whether access and audit lines outlive the stack."""
    in_china = args.region.startswith(CHINA)
    return args.keeps_copies or (in_china and args.tags.environment != "dev")


def choose_lines(kind: str, sample_share: float) -> str:
    """The regular expression of the lines that a kind's store gets; `application` gets a share of the requests'."""
    if kind == "access":
        return rf"^.*{REQUEST}.*$"
    if kind == "audit":
        return rf"^(?=.*{REQUEST}).*{REFUSED}.*$"
    # The last digit of a request's id is as good as a die, and all lines of a request have the same.
    digits = HEX_DIGITS[: max(1, math.ceil(sample_share * len(HEX_DIGITS)))]
    return rf'^(?:(?!.*{REQUEST}).*|.*"trace_id":"[^"]*[{digits}]".*)$'


def describe_input(expression: str) -> dict[str, object]:
    """Logtail's configuration in simple mode for the lines that match."""
    return {
        "logPath": LOG_FOLDER,
        "filePattern": LOG_FILE,
        "logType": "common_reg_log",
        "logBeginRegex": ".*",
        "regex": "(.*)",
        "key": [FIELD],
        "filterKey": [FIELD],
        "filterRegex": [expression],
        "topicFormat": "none",
        "fileEncoding": "utf8",
        "discardUnmatch": False,
        "enableRawLog": False,
        "localStorage": True,
        "maxDepth": 0,
        # the same file for several stores
        "advanced": {"force_multiconfig": True},
    }


def _forbid_deletion(project_arn: pulumi.Output[str], names: list[str]) -> dict[str, object]:
    """A policy of the project: its stores of these names are neither deleted nor kept for less, and it stays itself."""
    stores = [pulumi.Output.concat(project_arn, f"/logstore/{name}") for name in names]
    return {
        "Version": "1",
        "Statement": [
            {"Effect": "Deny", "Action": ["log:DeleteLogStore", "log:UpdateLogStore"], "Resource": stores},
            {"Effect": "Deny", "Action": ["log:DeleteProject"], "Resource": [project_arn]},
        ],
    }


def _encrypt(args: LogStoresArgs) -> alicloud.log.StoreEncryptConfArgs:
    if args.key_id is None:
        return alicloud.log.StoreEncryptConfArgs(enable=True, encrypt_type="default")
    return alicloud.log.StoreEncryptConfArgs(
        enable=True,
        encrypt_type="default",
        user_cmk_info=alicloud.log.StoreEncryptConfUserCmkInfoArgs(
            arn=f"acs:ram::{args.account}:role/{KEY_ROLE}", cmk_key_id=args.key_id, region_id=args.region
        ),
    )

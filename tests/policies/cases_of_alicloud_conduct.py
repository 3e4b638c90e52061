"""Cases of logs, places, models and rights of clusters on Alibaba Cloud."""

from typing import Any

from policies import kinds as k
from policies.settings import PolicySettings
from sizing.graph.resources import Resource
from tests.policies.case import BEIJING, Case, allow, need, pack
from tests.policies.resources import TAGS, make, put

DEV = PolicySettings(environment="dev")
TEMPLATE = make(k.ALI_LAUNCH_TEMPLATE, "t", instanceType="ecs.c7.xlarge")
LOCKED = (
    make(k.ALI_BUCKET, "trail-audit", bucket="a"),
    make(k.ALI_BUCKET_WORM, "lock", bucket="a", retentionPeriodInDays=2555, status="Locked"),
    make(k.ALI_TRAIL, "t", ossBucketName="a", eventRw="All", status="Enable"),
)
LOGGED = (
    Case(
        rule="account-is-audited",
        good=LOCKED,
        name="t",
        path="ossBucketName",
        bad="of-another-stack",
        message="t writes to a bucket of this stack that is not locked, or to none",
    ),
    need(
        "trails-record-everything",
        make(k.ALI_TRAIL, "t", eventRw="All", status="Enable", ossBucketName="b"),
        "eventRw",
        "Write",
        "Write",
        "All",
    ),
    need(
        "trails-record-everything",
        make(k.ALI_TRAIL, "t", eventRw="All", status="Enable", ossBucketName="b"),
        "status",
        "Disable",
        "Disable",
        "Enable",
    ),
    need(
        "databases-log",
        make(k.ALI_DATABASE, "db", sqlCollectorStatus="Enabled", sqlCollectorConfigValue=180),
        "sqlCollectorConfigValue",
        30,
        "30",
        "180 days or more",
    ),
    need(
        "balancers-log-access",
        make(k.ALI_ALB, "alb", accessLogConfig={"logProject": "p", "logStore": "s"}),
        "accessLogConfig",
        None,
        "not set",
        "set",
    ),
    *(
        Case(
            rule="access-logs-are-kept",
            good=(put(make(kind, name, region=region), path, 365),),
            name=name,
            path=path,
            bad=300,
            settings=settings,
            message=f"{name}: access logs are kept for 300 days, and must be kept for 365",
        )
        for kind, name, path, region, settings in (
            (k.ALI_LOG_STORE, "logs-balancer", "retentionPeriod", "cn-hangzhou", PolicySettings(environment="prod")),
            (k.ALI_LOG_STORE, "logs-audit", "retentionPeriod", "cn-beijing", DEV),
            (k.ALI_DATABASE, "db", "sqlCollectorConfigValue", "cn-beijing", BEIJING),
        )
    ),
    Case(
        rule="access-logs-are-kept",
        good=(make(k.ALI_LOG_STORE, "logs-access", region="ap-southeast-1", retentionPeriod=90),),
        name="logs-access",
        path="retentionPeriod",
        bad=30,
        message="logs-access: access logs are kept for 30 days, and must be kept for 90",
    ),
)


def _leave(good: Resource, path: str, bad: Any, reason: str, **more: Any) -> Case:
    return Case(
        rule="data-stays-home",
        good=(good,),
        name=good.name,
        path=path,
        bad=bad,
        settings=BEIJING,
        message=f"{good.name}: {reason}, and data must not leave cn",
        **more,
    )


PLACED = (
    _leave(
        make(k.ALI_BUCKET_REPLICATION, "r", destination={"location": "oss-cn-shanghai"}),
        "destination.location",
        "oss-ap-southeast-1",
        "destination.location lies in ap-southeast-1 (sg)",
    ),
    _leave(
        make(k.ALI_SNAPSHOTS, "s", targetCopyRegions=["cn-hangzhou"]),
        "targetCopyRegions[0]",
        "us-west-1",
        "targetCopyRegions[0] lies in us-west-1 (us)",
    ),
    _leave(
        make(k.ALI_TRAIL, "t", slsProjectArn="acs:log:cn-beijing:1:project/p"),
        "slsProjectArn",
        "acs:log:ap-southeast-1:1:project/p",
        "slsProjectArn leads to ap-southeast-1",
        unknown=False,
    ),
    _leave(
        make(k.ALI_CDN, "e", scope="domestic"), "scope", "global", "its scope is global, which answers outside China"
    ),
    _leave(make(k.ALI_CDN, "e", scope=None), "scope", "overseas", "its scope is overseas, which answers outside China"),
    *(
        Case(
            rule="models-stay-home",
            good=(make(kind, "n", **wrap(pack({"REME_EMBEDDING__API_BASE": "https://dashscope.aliyuncs.com/v1"}))),),
            name="n",
            path=path,
            bad=pack({"REME_EMBEDDING__API_BASE": f"https://{host}/v1"}),
            settings=BEIJING,
            message=f"n: its first script calls {host}, which answers from {there}; memories must not leave cn",
        )
        for kind, path, wrap, host, there in (
            (
                k.ALI_INVOCATION,
                "parameters.Environment",
                lambda text: {"parameters": {"Environment": text}},
                "dashscope-intl.aliyuncs.com",
                "sg",
            ),
            (k.ALI_COMMAND, "commandContent", lambda text: {"commandContent": text}, "api.openai.com", "us"),
            (k.ALI_LAUNCH_TEMPLATE, "userData", lambda text: {"userData": text}, "dashscope-us.aliyuncs.com", "us"),
            (
                k.ALI_SCALING,
                "userData",
                lambda text: {"userData": text},
                "models.example.com",
                "an unknown jurisdiction",
            ),
        )
    ),
    Case(
        rule="no-wildcard-permissions",
        good=(make(k.ALI_POLICY, "p", policyDocument=allow("oss:PutObject", "acs:oss:*:1:bucket/*")),),
        name="p",
        path="policyDocument",
        bad=allow("oss:PutObject", "acs:oss:*:*:*"),
        message="p: it allows oss:PutObject, which writes, on every resource",
    ),
    Case(
        rule="no-broad-policies",
        good=(make(k.ALI_ROLE_POLICY_ATTACHMENT, "a", policyName="reme-node"),),
        name="a",
        path="policyName",
        bad="AliyunLogFullAccess",
        message="a: AliyunLogFullAccess is attached, which opens every log of the account and deletes it",
    ),
    Case(
        rule="allowed-machines",
        good=(TEMPLATE,),
        name="t",
        path="instanceType",
        bad="ecs.ebmc7.32xlarge",
        message="t: ecs.ebmc7.32xlarge is not for this environment: no tier needs bare metal",
    ),
    Case(
        rule="quotas",
        good=(make(k.ALI_SCALING_GROUP, "g", of={"launchTemplateId": TEMPLATE.urn}, maxSize=4), TEMPLATE),
        name="g",
        path="maxSize",
        bad=21,
        message="the stack: machines may reach 21, and the environment's quota is 20",
    ),
    Case(
        rule="required-tags",
        good=(make(k.ALI_TAIR, "c", tags=TAGS),),
        name="c",
        path="tags",
        bad={},
        message="c: the tags project, environment, stack, component, managed-by are missing",
    ),
)
CASES = (*LOGGED, *PLACED)

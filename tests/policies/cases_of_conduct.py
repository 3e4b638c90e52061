"""Cases of rules about logs, secrets, places and rights."""

from policies import kinds as k
from policies.settings import PolicySettings
from tests.policies.case import (
    BEIJING,
    SERVICE,
    TEMPLATE,
    Case,
    allow,
    describe_container,
    make_task,
    trust,
    with_variable,
)
from tests.policies.resources import make

FAKE_KEY = "sk-" + "abcdEFGH0123ijkl4567"
CASES = (
    Case(
        rule="firewalls-log",
        good=(make(k.AWS_WEB_ACL, "acl", arn="arn-of-acl"), make(k.AWS_WEB_ACL_LOGGING, "l", resourceArn="arn-of-acl")),
        name="l",
        path="resourceArn",
        bad="arn-of-another",
        message="acl: the web ACL has no logging configuration",
    ),
    Case(
        rule="clusters-are-watched",
        good=(make(k.AWS_CLUSTER, "c", settings=[{"name": "containerInsights", "value": "enabled"}]),),
        name="c",
        path="settings",
        bad=[],
        message="c: settings is empty, and must be a list with containerInsights enabled",
    ),
    Case(
        rule="logs-end",
        good=(make(k.AWS_LOG_GROUP, "log", retentionInDays=90),),
        name="log",
        path="retentionInDays",
        bad=0,
        message="log: retentionInDays is 0, and must be a number of days",
    ),
    Case(
        rule="access-logs-are-kept",
        good=(make(k.ALI_LOG_STORE, "access", retentionPeriod=365),),
        name="access",
        path="retentionPeriod",
        bad=180,
        settings=BEIJING,
        message="access: access logs are kept for 180 days, and must be kept for 365",
    ),
    Case(
        rule="metadata-needs-a-token",
        good=(make(k.AWS_INSTANCE, "i", metadataOptions={"httpTokens": "required"}),),
        name="i",
        path="metadataOptions.httpTokens",
        bad="optional",
        message="i: metadataOptions.httpTokens is optional, and must be required",
    ),
    Case(
        rule="metadata-needs-a-token",
        good=(make(k.ALI_INSTANCE, "i", httpTokens="required"),),
        name="i",
        path="httpTokens",
        bad=None,
        message="i: httpTokens is not set, and must be required",
    ),
    Case(
        rule="containers-are-confined",
        good=(make_task(),),
        name="task",
        path="containerDefinitions",
        bad=describe_container(privileged=True),
        message="task: container app: privileged is true",
    ),
    Case(
        rule="images-are-scanned-and-fixed",
        good=(
            make(k.AWS_REGISTRY, "r", imageScanningConfiguration={"scanOnPush": True}, imageTagMutability="IMMUTABLE"),
        ),
        name="r",
        path="imageTagMutability",
        bad="MUTABLE",
        message="r: imageTagMutability is MUTABLE, and must be IMMUTABLE",
    ),
    Case(
        rule="no-plain-secrets",
        good=(make(k.AWS_INSTANCE, "i", userData="echo hello"),),
        name="i",
        path="userData",
        bad=f"export KEY={FAKE_KEY}",
        message="i: its first script holds what looks like a key of OpenAI or of a provider with its form",
    ),
    Case(
        rule="secrets-by-reference",
        good=(make_task(),),
        name="task",
        path="containerDefinitions",
        bad=with_variable("DB_PASSWORD", "hunter2hunter2"),
        message="task: environment variable DB_PASSWORD is named like a secret, and stands in plain text",
    ),
    Case(
        rule="data-stays-home",
        good=(make(k.ALI_DATABASE_CROSS_BACKUP, "b", region="cn-beijing", crossBackupRegion="cn-hangzhou"),),
        name="b",
        path="crossBackupRegion",
        bad="ap-southeast-1",
        settings=BEIJING,
        message="b: crossBackupRegion lies in ap-southeast-1 (sg), and data must not leave cn",
    ),
    Case(
        rule="data-stays-home",
        good=(make(k.AWS_SECRET, "s", region="eu-west-1", replicas=[{"region": "eu-central-1"}]),),
        name="s",
        path="replicas[0].region",
        bad="eu-west-2",
        settings=PolicySettings(residency="eu"),
        message="s: replicas[0].region lies in eu-west-2 (gb), and data must not leave eu",
    ),
    Case(
        rule="models-stay-home",
        good=(
            make_task(
                environment=[
                    {
                        "name": "REME_LLM__DEFAULT__API_BASE",
                        "value": "https://dashscope.aliyuncs.com/compatible-mode/v1",
                    }
                ]
            ),
        ),
        name="task",
        path="containerDefinitions",
        settings=BEIJING,
        bad=with_variable("REME_LLM__DEFAULT__API_BASE", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        message="task: environment variable REME_LLM__DEFAULT__API_BASE calls dashscope-intl.aliyuncs.com, "
        "which answers from sg; memories must not leave cn",
    ),
    Case(
        rule="no-wildcard-permissions",
        good=(make(k.AWS_ROLE_POLICY, "p", policy=allow("s3:PutObject")),),
        name="p",
        path="policy",
        bad=allow("s3:PutObject", "*"),
        message="p: it allows s3:PutObject, which writes, on every resource",
    ),
    Case(
        rule="no-wildcard-permissions",
        good=(make(k.ALI_POLICY, "p", policyDocument=allow("oss:GetObject")),),
        name="p",
        path="policyDocument",
        bad=allow("oss:*"),
        message="p: it allows oss:*, which is every action",
    ),
    Case(
        rule="no-wildcard-permissions",
        good=(make(k.ALI_POLICY, "p", policyDocument=allow("yundun-greenweb:TextModerationPlus", "*")),),
        name="p",
        path="policyDocument",
        bad=allow("yundun-greenweb:ImageModeration", "*"),
        message="p: it allows yundun-greenweb:ImageModeration, which writes, on every resource",
    ),
    Case(
        rule="no-broad-policies",
        good=(
            make(k.AWS_ROLE_POLICY_ATTACHMENT, "a", policyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"),
        ),
        name="a",
        path="policyArn",
        bad="arn:aws:iam::aws:policy/AdministratorAccess",
        message="a: AdministratorAccess is attached, which allows every action",
    ),
    Case(
        rule="no-broad-trust",
        good=(make(k.AWS_ROLE, "r", assumeRolePolicy=SERVICE),),
        name="r",
        path="assumeRolePolicy",
        bad=trust("*"),
        message="r: everybody may take the role",
    ),
    Case(
        rule="allowed-machines",
        good=(make(k.AWS_INSTANCE, "i", instanceType="c6i.large"),),
        name="i",
        path="instanceType",
        bad="m6i.metal",
        message="i: m6i.metal is not for this environment: no tier needs bare metal",
    ),
    Case(
        rule="quotas",
        good=(make(k.AWS_DISK, "d", size=100),),
        name="d",
        path="size",
        bad=9000,
        message="the stack: storage may reach 9000 GB, and the environment's quota is 4000 GB",
    ),
    Case(
        rule="quotas",
        good=(
            make(k.AWS_AUTOSCALING_GROUP, "g", of={"launchTemplate": TEMPLATE.urn}, maxSize=4),
            TEMPLATE,
        ),
        name="g",
        path="maxSize",
        bad=21,
        message="the stack: machines may reach 21, and the environment's quota is 20",
    ),
)

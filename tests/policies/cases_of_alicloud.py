"""Cases of storage, connections and machines of clusters on Alibaba Cloud."""

from policies import kinds as k
from sizing.graph.resources import Resource
from tests.policies.case import Case, need, pack
from tests.policies.resources import make

EDGE = make(k.ALI_CDN, "edge", domainName="memory.example.com")


def configure(name: str, function: str, **arguments: str) -> Resource:
    pairs = [{"argName": key, "argValue": value} for key, value in arguments.items()]
    return make(k.ALI_CDN_CONFIG, name, domainName="memory.example.com", functionName=function, functionArgs=pairs)


FORCED = (
    EDGE,
    configure("force", "https_force", enable="on"),
    configure("tls", "https_tls_version", tls10="off", tls11="off"),
)


DATABASE = make(k.ALI_DATABASE, "db", engine="PostgreSQL", instanceChargeType="Postpaid", sslAction="Open")
STORED = (
    need(
        "encrypt-databases",
        make(k.ALI_DATABASE, "db", encryptionKey="ServiceKey"),
        "encryptionKey",
        "disabled",
        "disabled",
        "a key (or tdeStatus Enabled)",
    ),
    need(
        "encrypt-disks",
        make(k.ALI_LAUNCH_TEMPLATE, "t", systemDisk={"encrypted": "true"}, dataDisks=[{"encrypted": "true"}]),
        "systemDisk.encrypted",
        "false",
        "false",
        "true",
    ),
    need(
        "encrypt-disks",
        make(k.ALI_SCALING, "s", systemDiskEncrypted=True, dataDisks=[{"encrypted": True}]),
        "dataDisks[0].encrypted",
        False,
        "false",
        "true",
    ),
    need(
        "encrypt-with-own-keys",
        make(k.ALI_DATABASE, "db", encryptionKey="key"),
        "encryptionKey",
        "ServiceKey",
        "ServiceKey",
        "a key of your own",
    ),
    need(
        "encrypt-with-own-keys",
        make(k.ALI_LOG_STORE, "access", encryptConf={"userCmkInfo": {"cmkKeyId": "key"}}),
        "encryptConf.userCmkInfo.cmkKeyId",
        None,
        "not set",
        "a key of your own",
    ),
    need(
        "databases-keep-their-log",
        make(k.ALI_DATABASE_BACKUPS, "b", enableBackupLog=True),
        "enableBackupLog",
        False,
        "false",
        "true",
    ),
    need(
        "keep-final-copies",
        make(k.ALI_DATABASE, "db", engine="MySQL", releasedKeepPolicy="All"),
        "releasedKeepPolicy",
        "None",
        "None",
        "All",
    ),
    need(
        "spread-over-zones",
        make(k.ALI_SCALING_GROUP, "g", vswitchIds=["a", "b"]),
        "vswitchIds",
        ["a"],
        "set",
        "two switches or more",
    ),
    need(
        "deletion-protection",
        make(k.ALI_ALB, "alb", deletionProtectionEnabled=True),
        "deletionProtectionEnabled",
        None,
        "not set",
        "true",
    ),
    Case(
        rule="databases-keep-backups",
        good=(make(k.ALI_DATABASE_BACKUPS, "b", backupRetentionPeriod=30),),
        name="b",
        path="backupRetentionPeriod",
        bad=7,
        message="b: backupRetentionPeriod is 7, and backups must be kept for 30 days or more",
    ),
    Case(
        rule="audit-buckets-are-write-once",
        good=(
            make(k.ALI_BUCKET, "trail-audit", bucket="a"),
            make(k.ALI_BUCKET_WORM, "worm", bucket="a", retentionPeriodInDays=2555, status="Locked"),
        ),
        name="worm",
        path="status",
        bad="InProgress",
        message="trail-audit: it has a lock that is not in force (InProgress); "
        "audit records must be write-once for 2555 days",
        unknown=False,
    ),
)
REACHED = (
    need(
        "tls-to-data",
        DATABASE,
        "instanceChargeType",
        "Serverless",
        "Serverless",
        "another: a serverless PostgreSQL has no TLS, whatever sslAction says",
    ),
    need(
        "cdn-uses-tls",
        make(k.ALI_CDN, "edge", certificateConfig={"serverCertificateStatus": "on"}, sources=[{"port": 443}]),
        "certificateConfig.serverCertificateStatus",
        "off",
        "off",
        "on",
    ),
    need(
        "cdn-uses-tls",
        make(k.ALI_CDN, "edge", certificateConfig={"serverCertificateStatus": "on"}, sources=[{"port": 443.0}]),
        "sources[0].port",
        80,
        "80",
        "443",
    ),
    Case(
        rule="cdn-forces-https",
        good=FORCED,
        name="force",
        path="functionArgs[0].argValue",
        bad="off",
        message="edge: no setting https_force of the domain says enable on",
    ),
    Case(
        rule="cdn-forces-https",
        good=FORCED,
        name="tls",
        path="functionArgs[1].argValue",
        bad="on",
        message="edge: no setting https_tls_version of the domain says tls11 off",
    ),
    Case(
        rule="no-plain-listeners",
        good=(
            make(k.ALI_ALB_LISTENER, "http", listenerProtocol="HTTP", id="lsn-1"),
            make(k.ALI_ALB_RULE, "r", listenerId="lsn-1", ruleActions=[{"type": "Redirect"}]),
        ),
        name="r",
        path="ruleActions[0].type",
        bad="ForwardGroup",
        message="http: the listener takes HTTP and does not redirect to HTTPS",
    ),
    need(
        "no-public-addresses-by-default",
        make(k.ALI_LAUNCH_TEMPLATE, "t", internetMaxBandwidthOut=0),
        "internetMaxBandwidthOut",
        5,
        "5",
        "0",
    ),
    Case(
        rule="public-entrances-have-a-firewall",
        good=(make(k.ALI_ALB, "alb", addressType="Internet", loadBalancerEdition="StandardWithWaf"),),
        name="alb",
        path="loadBalancerEdition",
        bad="Standard",
        message="alb: no web firewall is bound to it",
    ),
    need("no-public-images", make(k.ALI_IMAGES, "r", repoType="PRIVATE"), "repoType", "PUBLIC", "PUBLIC", "PRIVATE"),
    need(
        "no-public-images",
        make(k.ALI_IMAGE_NAMESPACE, "n", defaultVisibility="PRIVATE"),
        "defaultVisibility",
        "PUBLIC",
        "PUBLIC",
        "PRIVATE",
    ),
    Case(
        rule="scaled-machines-ask-for-a-token",
        good=(
            make(k.ALI_SCALING, "s", userData=pack({"Action": "ModifyInstanceMetadataOptions&HttpTokens=required"})),
        ),
        name="s",
        path="userData",
        bad=pack({"Action": "none"}),
        message="s: httpEndpoint is not set, and no script of its machines calls ModifyInstanceMetadataOptions",
    ),
    Case(
        rule="scaled-machines-ask-for-a-token",
        good=(make(k.ALI_SCALING, "s", httpEndpoint="disabled"),),
        name="s",
        path="httpEndpoint",
        bad="enabled",
        message="s: httpEndpoint is enabled, and no script of its machines calls ModifyInstanceMetadataOptions",
    ),
    need(
        "metadata-needs-a-token",
        make(k.ALI_LAUNCH_TEMPLATE, "t", httpTokens="required"),
        "httpTokens",
        "optional",
        "optional",
        "required",
    ),
)
CASES = (*STORED, *REACHED)

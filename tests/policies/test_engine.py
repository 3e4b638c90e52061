"""The pack in the real engine: a change that breaks a rule is stopped, one that does not goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.emulated_aws.stage import find_engine
from tests.servers.installation import ServerMissing
from tests.servers.waiting import PATIENCE_S

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import pulumi, pulumi_aws as aws
words = pulumi.Config().get("words") or ""
tags = {"project": "p", "environment": "dev", "stack": "s", "component": "c", "managed-by": "pulumi"}
group = aws.ec2.SecurityGroup("group", description="of the test", vpc_id="vpc-1", tags=tags)
port = 22 if "open" in words else 443
aws.vpc.SecurityGroupIngressRule(
    "in", security_group_id=group.id, ip_protocol="tcp", from_port=port, to_port=port, cidr_ipv4="0.0.0.0/0")
log = aws.cloudwatch.LogGroup("log", retention_in_days=None if "endless" in words else 90, tags=tags)
role = aws.iam.Role("role", tags=tags, assume_role_policy=(
    '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'))
aws.iam.RolePolicy("policy", role=role.name, policy=log.arn.apply(
    lambda arn: '{"Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "%s"}]}' % arn))
bucket = aws.s3.Bucket("store", tags=tags)
if "public" not in words:
    aws.s3.BucketPublicAccessBlock("block", bucket=bucket.bucket, block_public_acls=True, block_public_policy=True,
        ignore_public_acls=True, restrict_public_buckets=True)
aws.s3.BucketVersioning("versions", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"})
aws.s3.BucketServerSideEncryptionConfiguration("encryption", bucket=bucket.bucket, rules=[
    {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}])
aws.s3.BucketPolicy("refusal", bucket=bucket.bucket, policy=(
    '{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", '
    '"Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}'))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_engine()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("program")
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "Pulumi.yaml").write_text(
        f"name: judged\nruntime:\n  name: python\n  options:\n    virtualenv: {ROOT / '.venv'}\n"
    )
    (folder / "state").mkdir()
    (folder / "plugins").mkdir()
    plugin = folder / "plugins" / "pulumi-resource-aws"
    plugin.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m infra.preview.offline aws\n")
    plugin.chmod(0o755)
    _run(folder, "stack", "init", "judged-dev")
    _run(folder, "config", "set", "aws:region", "us-east-1")
    return folder


def _environment(folder: Path) -> Mapping[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "AWS_"))}
    return kept | {
        "PATH": os.pathsep.join((str(folder / "plugins"), str(find_engine()), kept.get("PATH", ""))),
        "PYTHONPATH": str(ROOT),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(find_engine() / "pulumi"), *arguments, "--non-interactive", "--color", "never"],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _preview(folder: Path, words: str, config: Mapping[str, Any]) -> tuple[int, str]:
    (folder / "policies.json").write_text(json.dumps(config))
    packs = ("--policy-pack", str(ROOT / "policies"), "--policy-pack-config", "policies.json")
    return _run(folder, "preview", "--config", f"words={words}", *packs)


def test_a_good_change_passes_and_says_what_it_cannot_judge_yet(project: Path) -> None:
    code, said = _preview(project, "good", {"budgets-are-watched": "disabled"})
    assert code == 0, said
    assert "mandatory" not in said
    assert "budgets-are-watched" not in said
    assert "can't run policy 'no-wildcard-permissions'" in said


def test_a_bad_change_is_stopped_with_what_to_do(project: Path) -> None:
    code, said = _preview(project, "open endless public", {"data-stays-home": {"residency": "eu"}})
    assert code != 0, said
    assert "in: port 22 is open to every address. Name the security group" in said
    assert "log: retentionInDays is not set, and must be a number of days" in said
    assert "store: it has no BucketPublicAccessBlock" in said
    assert "log: it lies in us-east-1 (us), and data must not leave eu" in said

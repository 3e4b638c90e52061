"""A whole preview of a small program in a repository of its own, by the real engine, down to the comment."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulated_aws.stage import find_engine
from tests.infra.preview.test_checkouts import commit, git
from tests.servers.installation import ServerMissing
from tests.servers.waiting import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("preview-runs")]

_COMMAND = Path(sys.prefix) / "bin" / "reme-preview"
_PROJECT = "name: shop\nruntime: {name: python, options: {virtualenv: .venv}}\n"
_BASE = """
import pulumi
import pulumi_aws as aws

config = pulumi.Config()
tags = {"project": "shop", "environment": "dev", "stack": pulumi.get_stack(), "component": "shop", "managed-by": "me"}
database = aws.rds.Instance(
    "orders", engine="postgres", instance_class="db.t4g.micro", allocated_storage=20, storage_type="gp3",
    storage_encrypted=False, username="shop", password=config.require_secret("password"), skip_final_snapshot=True,
    tags=tags, opts=pulumi.ResourceOptions(protect=True),
)
aws.ebs.Volume("old", availability_zone="us-east-1a", size=40, type="gp3", encrypted=True, tags=tags)
group = aws.ec2.SecurityGroup("door", description="The shop", tags=tags)
aws.vpc.SecurityGroupIngressRule(
    "door-in", security_group_id=group.id, ip_protocol="tcp", from_port=22, to_port=22, cidr_ipv4="10.0.0.0/8", tags=tags
)
aws.sqs.Queue("jobs", name="jobs", tags=tags)
"""
_CHANGES = {
    "storage_encrypted=False": "storage_encrypted=True",
    'aws.ebs.Volume("old", availability_zone="us-east-1a", size=40': (
        'aws.ebs.Volume("new", availability_zone="us-east-1a", size=60'
    ),
    'cidr_ipv4="10.0.0.0/8"': 'cidr_ipv4="0.0.0.0/0"',
    '"jobs", name="jobs"': '"jobs", name="jobs", visibility_timeout_seconds=60',
}
_CONFIG = "config: {'aws:region': us-east-1, 'shop:password': {secure: 'v1:AAAA:%s'}}\nencryptionsalt: v1:x:v1:y:z\n"
_PLAIN = "config: {'aws:region': eu-west-1, 'shop:environment': dev, 'shop:password': a-word-that-nobody-may-read-%s}\n"


def write(folder: Path, program: str, word: str) -> None:
    """The project's files: one stack with an encrypted password, one with a plain one."""
    (folder / "Pulumi.yaml").write_text(_PROJECT, encoding="utf-8")
    (folder / "__main__.py").write_text(program, encoding="utf-8")
    (folder / "Pulumi.dev.yaml").write_text(_CONFIG % word, encoding="utf-8")
    (folder / "Pulumi.far.yaml").write_text(_PLAIN % word, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project in a folder of a repository, both with blanks in their names, on a head without a branch."""
    try:
        engine = find_engine()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    folder = tmp_path / "a shop" / "its infra"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q", "-b", "main")
    write(folder, _BASE, "one")
    git(folder.parent, "checkout", "-q", "--detach", commit(folder.parent, "base"))
    program = _BASE
    for old, new in _CHANGES.items():
        assert old in program
        program = program.replace(old, new)
    write(folder, program, "two")
    monkeypatch.setenv("PATH", f"{engine}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary files"))
    (tmp_path / "temporary files").mkdir()
    yield folder
    assert list((tmp_path / "temporary files").iterdir()) == [], "something is left behind"
    assert len(git(folder.parent, "worktree", "list").splitlines()) == 1


def test_the_comment_of_a_change(project: Path, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    comment, result = tmp_path / "comment.md", tmp_path / "result.json"
    arguments = ("run", "--base", "main", "--project", str(project), "--markdown", str(comment), "--json", str(result))
    done = subprocess.run(
        [str(_COMMAND), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 3, done.stderr
    text = comment.read_text(encoding="utf-8")
    for said in (text, done.stdout, done.stderr, result.read_text(encoding="utf-8")):
        assert "a-word-that-nobody-may-read" not in said
    steady = re.sub(r"main \([0-9a-f]{10}\)", "main (COMMIT)", text)
    steady = re.sub(r"list prices of [\d-]+ to [\d-]+", "list prices of DAY to DAY", steady)
    golden("preview/whole_run.en.md", steady)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_takes_everything_away(project: Path, number: signal.Signals) -> None:
    command = [str(_COMMAND), "run", "--base", "main", "--head", "main", "--project", str(project), "--stack", "dev"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        assert "bringing base up" in process.stderr.readline()
        process.send_signal(number)
        assert "interrupted" in process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1

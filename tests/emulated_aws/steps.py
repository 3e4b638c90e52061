"""What stacks of the repository go through in their lives, and what each step must do and must not."""

import csv
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.emulated_aws.leftovers import list_left
from tests.emulated_aws.lives import Life
from tests.emulated_aws.names import MADE_UP
from tests.emulated_aws.stage import Stage
from tests.infra.wheel import ensure_wheel

NEXT = "0.1.1"
"""A version after the one that the stacks' files have."""
_T = TypeVar("_T")
_STORES = ("aws:rds/", "aws:elasticache/", "aws:ec2/", "aws:ebs/", "aws:s3/", "aws:kms/", "aws:secretsmanager/")
_TASK = "aws:ecs/taskDefinition:TaskDefinition service-task"
_REGIONS = ("us-east-1", "eu-west-1")


def _known_differences() -> set[str]:
    with (Path(__file__).parent / "differences.csv").open(encoding="utf-8", newline="") as file:
        return {f"{row['type']} {row['attribute']}" for row in csv.DictReader(file)}


def begin(life: Life, *, at_least: int) -> None:
    """Deploy what is not there yet."""
    life.up()
    assert len(life.ids()) > at_least
    assert life.output("health_url").endswith("/health")


def change_a_host(life: Life) -> None:
    """Find nothing to change, then bring another release to the host, which stays."""
    life.expect_no_changes()
    wheel = life.project / f"reme_cloud-{NEXT}-py3-none-any.whl"
    shutil.copy(ensure_wheel(), wheel)
    life.configure("service.version", NEXT)
    life.configure("service.wheel", str(wheel))
    done = life.up()
    assert "CREATED aws:s3/bucketObjectv2:BucketObjectv2 releases-wheel" in done
    assert not [each for each in done if "aws:ec2/" in each or "aws:ebs/" in each], "the host must stay"


def take_a_version(life: Life) -> None:
    """Find nothing to change, then run another version, which leaves the data alone."""
    life.expect_no_changes()
    life.configure("service.version", NEXT)
    done = life.up()
    assert {f"CREATED {_TASK}", "CHANGED aws:ecs/service:Service service-service"} <= set(done)
    assert not [each for each in done if each.split()[1].startswith(_STORES)], "a version must leave the data alone"


def list_promised(life: Life) -> Sequence[str]:
    """The ids of what `reme-deploy destroy` says that stays."""
    return [life.ids()[f"{each.type} {each.name}"] for each in life.retained()]


def end(life: Life) -> Sequence[str]:
    """Destroy; returns the ids of what is promised to stay. Nothing was refused in all the stack's life."""
    promised = list_promised(life)
    life.destroy()
    assert not life.resources()
    assert not life.refused()
    return promised


def expect_left(stage: Stage, lives: Sequence[Life], promised: Sequence[str]) -> None:
    """The emulators hold what was promised to stay, and nothing else."""
    made = {id_ for life in lives for id_ in life.ids().values()}
    left = list_left(stage, made, _REGIONS)
    unforeseen = [each for each in left if not any(each.is_of(id_) for id_ in promised)]
    assert not unforeseen, unforeseen
    made_for_real = [id_ for id_ in promised if not id_.startswith(MADE_UP)]
    missing = [id_ for id_ in made_for_real if not any(each.is_of(id_) for each in left)]
    assert not missing, missing
    met = {line.removeprefix("EMULATED ") for line in stage.log() if line.startswith("EMULATED")}
    assert met <= _known_differences(), met - _known_differences()


def side_by_side(*lives: Callable[[], _T]) -> Sequence[_T]:
    """Live at the same time, most of which is waiting."""
    with ThreadPoolExecutor(len(lives)) as pool:
        return [life.result() for life in [pool.submit(live) for live in lives]]

#!/usr/bin/python3
"""Write where the service's tasks are, for Prometheus: find-targets REGION CLUSTER PORT SECRET FOLDER.

FOLDER gets service.json, in the form of Prometheus' file_sd_configs, and key, which is read again every hour from
SECRET. Both appear whole or not at all. It runs on the monitoring host, with that system's Python and AWS CLI.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AWS = "/usr/bin/aws"
KEY_AGE_S = 3600
PER_CALL = 100
"""Tasks that DescribeTasks takes at once."""


def ask(region: str, *words: str) -> Any:
    """What a command of the AWS CLI answers. Ends the program where it fails."""
    command = [AWS, "--region", region, "--output", "json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"find-targets: {' '.join(words[:2])}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def write(path: Path, text: str, mode: int) -> None:
    """Replace a file by another, which belongs to whom its folder does."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    owner = path.parent.stat()
    os.chown(unfinished, owner.st_uid, owner.st_gid)
    unfinished.replace(path)


def find_addresses(region: str, cluster: str) -> Iterator[str]:
    """The private addresses of the cluster's running tasks."""
    tasks = ask(region, "ecs", "list-tasks", "--cluster", cluster, "--desired-status", "RUNNING")["taskArns"]
    for start in range(0, len(tasks), PER_CALL):
        found = ask(region, "ecs", "describe-tasks", "--cluster", cluster, "--tasks", *tasks[start : start + PER_CALL])
        for task in found["tasks"]:
            for attachment in task.get("attachments", []):
                for detail in attachment.get("details", []):
                    if detail["name"] == "privateIPv4Address":
                        yield detail["value"]


def main(region: str, cluster: str, port: str, secret: str, folder: str) -> None:
    """Write both files."""
    key = Path(folder, "key")
    if not key.exists() or time.time() - key.stat().st_mtime > KEY_AGE_S:
        value = ask(region, "secretsmanager", "get-secret-value", "--secret-id", secret)["SecretString"]
        write(key, value, 0o400)
    targets = sorted(f"{address}:{port}" for address in find_addresses(region, cluster))
    write(Path(folder, "service.json"), json.dumps([{"targets": targets, "labels": {"job": "reme"}}]), 0o444)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the engine and the programs of an offline run see: our plugins, a backend of the run, no credentials."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from infra.preview.offline.__main__ import SDKS
from infra.preview.projects import Interpreter, find_packages

_PASSPHRASE = "preview"  # noqa: S105 - of placeholders only
_KEPT = ("AWS_REGION", "AWS_DEFAULT_REGION", "ALICLOUD_REGION", "ALIBABA_CLOUD_REGION")
_CLOUDS = ("PULUMI_", "AWS_", "ALICLOUD_", "ALIBABA_", "ALIYUN_", "GOOGLE_", "AZURE_", "ARM_")
_SECRETS = ("_TOKEN", "_SECRET", "_PASSWORD", "_PASSPHRASE", "_API_KEY", "_ACCESS_KEY")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for everything of one run, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="reme-preview-run-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def isolate(folder: Path, command: Path, interpreter: Interpreter, project: Path) -> Mapping[str, str]:
    """The run's plugins, and what the engine and the programs see: no credentials and no other backend."""
    for name in ("plugins", "state", "home", "tmp", "seeds"):
        (folder / name).mkdir()
    own = tuple(Path(each) for each in sys.path if each and Path(each).is_dir())
    plugin, root = folder / "plugins" / "offline", Path(__file__).parents[2]
    # `-P` and the path: the program that is previewed may have a package of our name in the folder that this starts in.
    lines = ["#!/bin/sh", f"export PYTHONPATH={quote(str(root))}"]
    lines += [f'exec {quote(sys.executable)} -P -m infra.preview.offline "${{0##*/pulumi-resource-}}"', ""]
    plugin.write_text("\n".join(lines), encoding="utf-8")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    for package in find_packages((*interpreter.packages, *own), project):
        (folder / "plugins" / f"pulumi-resource-{package}").symlink_to(plugin)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not (name.startswith(_CLOUDS) or name.endswith(_SECRETS))
    }
    paths = (folder / "plugins", command.parent, *kept.get("PATH", "").split(os.pathsep))
    return kept | {
        "PATH": os.pathsep.join(str(path) for path in paths),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # The state is thrown away, so it is enough to write it once, at the end.
        "PULUMI_EXPERIMENTAL": "true",
        "PULUMI_SKIP_CHECKPOINTS": "true",
        "TMPDIR": str(folder / "tmp"),
        # A program that asks AWS by itself finds no keys of this machine.
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        SDKS: os.pathsep.join(str(path) for path in interpreter.packages),
        **({"PULUMI_PYTHON_CMD": str(interpreter.python)} if interpreter.environment is None else {}),
    }

"""`python -m infra.preview.offline PACKAGE`: the plugin `pulumi-resource-PACKAGE`."""

import os
import sys

from infra.preview.offline.provider import OfflineProvider
from infra.preview.offline.sdk import find_places, find_sdk
from infra.preview.offline.serving import serve

SDKS = "REME_PREVIEW_SDKS"
"""The environment variable that names folders of Python packages to look for SDKs in, before our own."""


def main() -> None:
    """Serve until the engine ends this process."""
    package = sys.argv[1]
    folders = [*os.environ.get(SDKS, "").split(os.pathsep), *sys.path]
    serve(OfflineProvider(package, find_sdk(package, find_places(folders))))


if __name__ == "__main__":
    main()

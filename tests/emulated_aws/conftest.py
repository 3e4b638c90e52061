"""What `make test-full` runs of this folder, and `make test` does not: whole lives of stacks, some minutes each."""

import os

collect_ignore = [] if os.environ.get("REME_STACKS") == "all" else ["test_stacks.py"]

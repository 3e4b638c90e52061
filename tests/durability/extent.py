"""How far these tests go: a minute by default, longer with `REME_KILLS=1000`."""

import os

KILLS = int(os.environ.get("REME_KILLS", "50"))
"""How often a working process is killed in all."""
CUTS = max(60, KILLS // 5)
"""How often the power fails, for each kind of disk."""
THOROUGH = KILLS >= 1000
"""Whether every single call to the disk fails once, and not only the first ones and a sample of the others."""

"""Where long texts are kept: in local files, or in RAM."""

from app.backends.objects.local import LocalObjectStore
from app.backends.objects.ram import RamObjectStore

__all__ = ["LocalObjectStore", "RamObjectStore"]

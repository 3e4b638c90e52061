"""Content moderation by Alibaba Cloud (Green)."""

from app.backends.green.client import GreenChoice, GreenModerator
from app.backends.green.keys import AccessKeys, RoleKeys, SettledKey
from app.backends.ram_role import AccessKey

__all__ = ["AccessKey", "AccessKeys", "GreenChoice", "GreenModerator", "RoleKeys", "SettledKey"]

"""Content moderation by Alibaba Cloud (Green)."""

from app.backends.green.client import GreenChoice, GreenModerator
from app.backends.green.keys import AccessKeys, RoleKeys, SettledKey
from app.backends.green.signature import AccessKey

__all__ = ["AccessKey", "AccessKeys", "GreenChoice", "GreenModerator", "RoleKeys", "SettledKey"]

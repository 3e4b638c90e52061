"""What Terraform's provider refuses."""


class Refused(Exception):
    """The provider, or this plugin, refuses; the message is the provider's."""

"""What can go wrong before a rule runs."""


class PolicyError(Exception):
    """Policies cannot be applied as asked; the message says what to change."""

    exit_code = 2


class InvalidSettings(PolicyError):
    """Settings, waivers or a table of policies are unusable."""

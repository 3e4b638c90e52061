"""The command line `reme-preview`."""

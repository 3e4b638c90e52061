"""What every backend of the ports is held to; one more backend is one more entry in `backends.FACTORIES`."""

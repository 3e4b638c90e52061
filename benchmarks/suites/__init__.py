"""The suites: each measures one thing about all engines and returns an `Outcome`."""

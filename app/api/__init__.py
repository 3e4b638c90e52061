"""The service over HTTP: the 0.2 API at the root, ours under /v1, probes, and pages for people."""

"""Manifests of the service for Kubernetes, as a kustomize base, components and an overlay for each region of a plan."""

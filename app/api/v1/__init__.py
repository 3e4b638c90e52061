"""Our own API: typed, paged, versioned, with problem+json for every error."""

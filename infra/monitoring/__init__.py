"""Files for a Prometheus of one's own: rules, a dashboard, and what finds its targets."""

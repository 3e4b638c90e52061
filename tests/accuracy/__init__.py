"""How far our figures reproduce those that others publish, component by component."""

"""Several whole services over one database behave as one."""

"""The stacks on AWS: one component a module, put together in `stack`."""

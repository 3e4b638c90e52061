"""The stacks on Alibaba Cloud: one component a module, put together in `stack`."""

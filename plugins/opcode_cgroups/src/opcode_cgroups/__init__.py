"""Commands in their own cgroup and namespaces."""

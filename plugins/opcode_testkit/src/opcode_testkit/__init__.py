"""For authors of plugins: call an action as the engine would; conformance suites for contracts."""

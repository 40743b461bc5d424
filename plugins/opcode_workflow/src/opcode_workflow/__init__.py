"""Workflow control: the actions workflow.* and expr.eval."""

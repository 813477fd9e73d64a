"""Stands for `kailash.workflow`: see `kailash.workflow.builder`."""

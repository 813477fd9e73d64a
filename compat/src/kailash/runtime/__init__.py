"""Stands for `kailash.runtime`."""

from __future__ import annotations

from dataflow import AsyncLocalRuntime, LocalRuntime

__all__ = ["AsyncLocalRuntime", "LocalRuntime"]

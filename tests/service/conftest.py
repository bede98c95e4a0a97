"""Tests of the service run where its packages are: pip install 'zkgpu[serve]'."""

from __future__ import annotations

import importlib.util

NEEDED = ("starlette", "uvicorn", "prometheus_client", "msgspec")

if all(importlib.util.find_spec(name) for name in NEEDED):
    from tests.service.running import puppet, serve, settings
else:
    collect_ignore_glob = ["test_*.py"]

__all__ = ["puppet", "serve", "settings"]

"""Where a circuit's constraints go: by scope, component or layer, as a tree, a table and a page."""

from zkgpu.profile.page import page, walk
from zkgpu.profile.scopes import Scope, profile

__all__ = ["Scope", "page", "profile", "walk"]

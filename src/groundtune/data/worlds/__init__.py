"""Worlds of invented facts, made by rule and seed: nothing in them can be known.

A file each for the kinds of entities; `make` draws a world, `render` words its
documents, `write` puts it into a folder.
"""

from groundtune.data.worlds.make import SIZES, Edit, World, WorldSize, make_world
from groundtune.data.worlds.write import write_world

__all__ = ["SIZES", "Edit", "World", "WorldSize", "make_world", "write_world"]

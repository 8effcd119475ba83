"""Errors a user can act on.

    GroundtuneError                    exit code 1
    ├── ConfigError             2   (also ValueError)
    ├── DataError               3   (also ValueError)
    ├── MissingExtraError       4   (also ImportError)
    ├── UnknownPluginError      5   (also LookupError)
    ├── ModelLoadError          6   (also RuntimeError)
    ├── GenerationError         7   (also RuntimeError)
    ├── StoreError              8   (also OSError)
    └── DownloadError           9   (also OSError)

A GroundtuneError says what is wrong, where, and what to do. It is shown without a
traceback. A broken promise inside our own code is not a GroundtuneError: use
`assert`, or let ValueError and TypeError through with their traceback.
"""

from __future__ import annotations

from typing import ClassVar


class GroundtuneError(Exception):
    """Base of every error that the user, not we, must fix."""

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, fix: str, where: str = "") -> None:
        # args mirror the fields, so the error survives pickling between workers.
        super().__init__(problem, fix, where)
        self.problem = problem
        self.fix = fix
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.problem}\n  fix: {self.fix}"


class ConfigError(GroundtuneError, ValueError):
    """A setting or an option is unknown, missing or out of range."""

    exit_code = 2


class DataError(GroundtuneError, ValueError):
    """A document or label file is not in the form that we read."""

    exit_code = 3


class MissingExtraError(GroundtuneError, ImportError):
    """A part was asked for whose optional dependencies are not installed."""

    exit_code = 4


class UnknownPluginError(GroundtuneError, LookupError):
    """Nothing is registered under the name that was asked for."""

    exit_code = 5


class ModelLoadError(GroundtuneError, RuntimeError):
    """A model folder is missing, incomplete, unsafe or of an unknown kind."""

    exit_code = 6


class GenerationError(GroundtuneError, RuntimeError):
    """An engine could not answer a prompt."""

    exit_code = 7


class StoreError(GroundtuneError, OSError):
    """A knowledge base or a run folder cannot be read or written."""

    exit_code = 8

    def __str__(self) -> str:
        # OSError has a __str__ of its own, which would print the argument tuple.
        return GroundtuneError.__str__(self)


class DownloadError(GroundtuneError, OSError):
    """A model could not be fetched, or what came is not what was pinned."""

    exit_code = 9

    def __str__(self) -> str:
        return GroundtuneError.__str__(self)

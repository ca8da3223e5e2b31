"""The databases of an exploration, as values: every request maps a state to an answer and a new state.

The handlers' side is the real adapter on a client that asks the model. The server's side is what pypicloud's
own cache classes do, step by step.
"""

from __future__ import annotations

from .base import WRITES, Ask, Model, Request, Work
from .dynamo import Dynamo
from .redis import Redis, RedisServer
from .sql import Sql

__all__ = ["WRITES", "Ask", "Dynamo", "Model", "Redis", "RedisServer", "Request", "Sql", "Work"]

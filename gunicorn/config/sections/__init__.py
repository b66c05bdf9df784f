"""The settings table, a file a section: each row says name, default, flags, kind and meaning once.

`SECTIONS` is the table in the order in which documents show it.
"""

from __future__ import annotations

from gunicorn.config.option import Section
from gunicorn.config.sections.asgi import Asgi
from gunicorn.config.sections.config_file import ConfigFile
from gunicorn.config.sections.connections import Connections
from gunicorn.config.sections.control import Control
from gunicorn.config.sections.debugging import Debugging
from gunicorn.config.sections.dirty import DirtyArbiterHooks, DirtyArbiters
from gunicorn.config.sections.http2 import Http2
from gunicorn.config.sections.logs import Logging
from gunicorn.config.sections.process_naming import ProcessNaming
from gunicorn.config.sections.requests import Requests
from gunicorn.config.sections.security import Security
from gunicorn.config.sections.server_hooks import ServerHooks
from gunicorn.config.sections.server_mechanics import ServerMechanics
from gunicorn.config.sections.server_socket import ServerSocket
from gunicorn.config.sections.tls import Tls
from gunicorn.config.sections.worker_processes import WorkerProcesses

SECTIONS: tuple[type[Section], ...] = (
    ConfigFile,
    ServerSocket,
    WorkerProcesses,
    Asgi,
    Security,
    Connections,
    Debugging,
    ServerMechanics,
    Requests,
    Logging,
    ProcessNaming,
    Tls,
    ServerHooks,
    Http2,
    DirtyArbiters,
    DirtyArbiterHooks,
    Control,
)

__all__ = [
    "SECTIONS",
    "Asgi",
    "ConfigFile",
    "Connections",
    "Control",
    "Debugging",
    "DirtyArbiterHooks",
    "DirtyArbiters",
    "Http2",
    "Logging",
    "ProcessNaming",
    "Requests",
    "Security",
    "ServerHooks",
    "ServerMechanics",
    "ServerSocket",
    "Tls",
    "WorkerProcesses",
]

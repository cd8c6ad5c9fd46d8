"""Makes hosts for mpirun: network namespaces with names, addresses and host names of their own, on one bridge.

They share this machine's files and processes. mpirun starts its daemon on them by a script in place of ssh.
"""

import os
import pathlib
import subprocess

BRIDGE = "shm-bridge"
NET = "10.213.0"
AGENT = """#!/bin/sh
# In place of ssh: HOST COMMAND...
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host; exec env PATH=$PATH $*"
"""


def call(words: str, check: bool = True) -> None:
    result = subprocess.run(words.split(), capture_output=True, text=True)
    if check and result.returncode:
        raise SystemExit(f"error: {words}: {result.stderr.strip()}; run this as root, on Linux with iproute2")


class Hosts:
    """So many hosts, from `with` on."""

    def __init__(self, count: int, folder: pathlib.Path):
        self.names = [f"shm-host-{letter}" for letter in "abcdefgh"[:count]]
        self.agent = folder / "agent.sh"
        self.agent.write_text(AGENT)
        self.agent.chmod(0o755)

    def __enter__(self) -> "Hosts":
        self.remove()
        call(f"ip link add {BRIDGE} type bridge")
        call(f"ip addr add {NET}.1/24 dev {BRIDGE}")
        call(f"ip link set {BRIDGE} up")
        for number, name in enumerate(self.names):
            outside = self.cable(name)
            call(f"ip netns add {name}")
            call(f"ip link add {outside} type veth peer name eth0 netns {name}")
            call(f"ip link set {outside} master {BRIDGE} up")
            call(f"ip -n {name} addr add {NET}.{11 + number}/24 dev eth0")
            call(f"ip -n {name} link set eth0 up")
            call(f"ip -n {name} link set lo up")
        return self

    def __exit__(self, *_) -> None:
        for name in self.names:
            self.clear(name)
        self.remove()

    def remove(self) -> None:
        """Removes what this or an interrupted test has made."""
        for name in self.names:
            call(f"ip netns del {name}", check=False)
            call(f"ip link del {self.cable(name)}", check=False)
        call(f"ip link del {BRIDGE}", check=False)

    def clear(self, name: str) -> None:
        """Kills every process of a host, mpirun's daemon too."""
        for process in self.processes(name, None):
            os.kill(process, 9)

    @staticmethod
    def cable(name: str) -> str:
        return f"shm-cable-{name[-1]}"

    def cut(self, name: str) -> None:
        """Takes a host off the network."""
        call(f"ip link set {self.cable(name)} down")

    def join(self, name: str) -> None:
        call(f"ip link set {self.cable(name)} up")

    def processes(self, name: str, program: str | None = "train") -> list[int]:
        """The processes of a host, by default those of our program."""
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
        return [int(pid) for pid in found if program in (None, self.program_of(pid))]

    @staticmethod
    def program_of(pid: str) -> str | None:
        try:
            return pathlib.Path("/proc", pid, "comm").read_text().strip()
        except OSError:
            return None

    def mpirun(self, count: int) -> list[str]:
        """The words before those of the program: one process on each of the first `count` hosts."""
        hosts = ",".join(f"{name}:1" for name in self.names[:count])
        words = f"mpirun --allow-run-as-root --bind-to none -n {count} --host {hosts}"
        nets = f"--mca oob_tcp_if_include {NET}.0/24 --mca btl_tcp_if_include {NET}.0/24"
        return [*words.split(), *nets.split(), *f"--mca btl self,tcp --mca plm_rsh_agent {self.agent}".split()]

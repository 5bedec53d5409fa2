"""The memory of processes, by what the kernel says."""

from __future__ import annotations

from pathlib import Path


def peak_mib(pid: int) -> float:
    """Return the most memory that a process ever had resident, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024

"""What lies in a spool, for tests that compare before and after."""

from __future__ import annotations

from dataclasses import dataclass

from imagomortis.spool.spool import Entry, Spool


@dataclass(frozen=True)
class Contents:
    """What lies in a spool right now."""

    spool: Spool

    @property
    def entries(self) -> list[Entry]:
        """Everything that is ready, oldest first; fails if anything of it is not whole."""
        entries = [self.spool.read(folder) for folder in self.spool.scan(100_000)]
        for entry in entries:
            self.spool.read_bytes(entry)
        return sorted(entries, key=lambda entry: entry.upload.created_at)

    @property
    def ids(self) -> set[str]:
        return {str(entry.upload.id) for entry in self.entries}

    @property
    def begun(self) -> list[str]:
        """What lies in ``incoming/``."""
        return [path.name for path in self.spool.incoming.iterdir()]

    @property
    def inbox(self) -> set[str]:
        return {path.name for path in self.spool.inbox.rglob("*") if not path.is_dir()}

    @property
    def rejected(self) -> dict[str, str]:
        """The reasons of what was rejected, by file names."""
        suffix = ".reason.txt"
        reasons = self.spool.rejected.glob(f"*{suffix}")
        return {path.name.removesuffix(suffix): path.read_text().strip() for path in reasons}

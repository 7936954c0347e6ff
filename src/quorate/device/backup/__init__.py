"""A backup: the `file` it lies in, the `process` that makes it, and the device's `link` to that process."""

from quorate.device.backup.file import Backup, open_backup, read_header

__all__ = ["Backup", "open_backup", "read_header"]

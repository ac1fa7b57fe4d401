"""Files that have to be unpacked or exported before they can be read as text."""

_BEGINNINGS = {
    b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "7-Zip", b"\x28\xb5\x2f\xfd": "Zstandard", b"Rar!": "RAR", b"%PDF": "PDF",
    b"\xd0\xcf\x11\xe0": "an old Office file",
}  # fmt: skip


def archive_kind(content: bytes) -> str | None:
    """What kind of archive a content is, by its first bytes; nothing is unpacked to find out."""
    return next((kind for mark, kind in _BEGINNINGS.items() if content.startswith(mark)), None)

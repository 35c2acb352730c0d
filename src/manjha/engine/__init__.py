"""The core: one owner, no I/O. Events in, approved commands out."""

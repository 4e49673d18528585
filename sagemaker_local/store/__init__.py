"""Everything that is kept: documents in SQLite, written in groups, read by key or in pages."""

from sagemaker_local.store.documents import Document, Key, Store, Watcher

__all__ = ["Document", "Key", "Store", "Watcher"]

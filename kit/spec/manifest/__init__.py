"""The manifest: everything that decides a result."""

"""Redaction: a bundle without its texts that can still be verified, recomputed and compared (docs/redaction.md)."""

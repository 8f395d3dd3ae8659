"""Signatures over a bundle: one Ed25519 key, two standard forms, no format of our own."""

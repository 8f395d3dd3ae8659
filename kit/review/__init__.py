"""What a reader does with a bundle: verify, compare, redact, sign a receipt. Nothing here can train or generate."""

"""Two bundles side by side: the grade, what may explain it, and what flipped (docs/diff.md)."""

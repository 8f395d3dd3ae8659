"""What software and hardware this is, and how two of them differ."""

"""Whether a run fits: memory, context length and disk, estimated before anything is computed."""

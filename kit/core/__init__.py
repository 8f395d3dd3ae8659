"""What everything stands on: rows, JSON, digests, safe paths, names of cells, problems and how they are told."""

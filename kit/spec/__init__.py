"""What the experiment is: its manifest, data, judges and models, and the environment that it is pinned to."""

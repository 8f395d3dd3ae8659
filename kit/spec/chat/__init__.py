"""Chat templates: where a model's lies, what it depends on, those that the kit ships, and filling them in."""

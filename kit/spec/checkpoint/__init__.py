"""Folders of models and adapters as people have them: which of their files are read, and whether they can be loaded."""

"""Runs the heavy jobs in a fresh process, whose environment is set before anything is imported."""

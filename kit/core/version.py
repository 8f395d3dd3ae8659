"""Which release this is; stands where every package can read it."""

__version__ = "0.1.0"

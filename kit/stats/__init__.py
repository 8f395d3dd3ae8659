"""The numbers: rates, intervals, paired tests, and what is published of them (docs/numbers.md)."""

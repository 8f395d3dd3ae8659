"""Fine-tuning: the interface, TRL, and the tests' trainer."""

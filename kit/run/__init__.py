"""What makes a bundle: checks before the run, the plan, its steps, and what comes of them."""

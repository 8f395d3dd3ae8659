"""What does the heavy work: trainers, generation engines, and the worker process in which they run."""

"""Generation: the interface, vLLM, and the tests' engine."""

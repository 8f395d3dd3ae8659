"""What strangers could hand to the kit: one small builder an input, by the kind of input."""

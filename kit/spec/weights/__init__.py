"""What the files of a model's weights say of its tensors, read without loading them."""

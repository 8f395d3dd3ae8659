"""What an adapter's files say of it, before anything is loaded."""

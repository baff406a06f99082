"""What is wrong with a stack, and how an interrupted update is repaired."""

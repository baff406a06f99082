"""Where a stack is: its config, its state, and the folder that the engine works in."""

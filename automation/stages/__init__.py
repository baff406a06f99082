"""What verbs of several stages share: finding the next stage, doing and proving it, and what they return."""

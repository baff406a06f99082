"""The config keys, one module for each subject: their declarations, and the rules about what fits together."""

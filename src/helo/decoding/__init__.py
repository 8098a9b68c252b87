"""Writing: what to say next, given scores. Knows nothing of models, only a step function."""

"""Models: from options to parameters and a forward pass, and nothing else. One file a model."""

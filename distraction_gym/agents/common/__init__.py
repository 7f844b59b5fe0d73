"""What the methods share: the training loop, networks, replay, augmentations, checkpoints."""

"""Evidence: train, evaluate, record, and put measured returns beside the published ones."""

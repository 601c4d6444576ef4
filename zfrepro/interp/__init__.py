"""What a trained network sees: any network of named layers, not only the paper's."""

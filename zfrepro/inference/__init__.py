"""What a trained network makes of images: its predictions, errors and inputs."""

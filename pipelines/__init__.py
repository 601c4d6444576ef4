"""One thin script a stage of `dvc.yaml`, of the same name."""

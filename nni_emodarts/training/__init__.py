"""What search and retrain share: the task, the trainer, the device."""

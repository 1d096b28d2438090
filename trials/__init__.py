"""Scripts that NNI starts, one trial each."""

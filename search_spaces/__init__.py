"""The search spaces that the package ships: presets as YAML, flat spaces for the tuners of NNI as JSON."""

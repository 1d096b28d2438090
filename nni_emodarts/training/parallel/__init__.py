"""Several processes that train one network, each on its share of every batch."""

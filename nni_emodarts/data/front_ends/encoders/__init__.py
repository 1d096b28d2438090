"""Encoders: waveforms -> hidden states, one module a kind."""

"""Operations and layers. Maps are (N, C, F, T), sequences (N, T, D), each with lengths (N,)."""

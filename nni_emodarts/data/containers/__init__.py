"""Containers of sound: which recordings a file holds, whatever its header states, and what a file is that holds none.

libsndfile believes a header, and reads the first of several recordings. A walk over the container's chunks, pages or
frames, in which nothing is decoded, finds where it would stop too early or read what is no sound.
"""

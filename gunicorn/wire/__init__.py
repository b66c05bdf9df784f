"""The language of the pool for heavy work: frames, values and messages as bytes; see this folder's README."""

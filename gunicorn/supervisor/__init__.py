"""Keeping processes alive: a pure plan decides, one selector loop does, a matrix says what may happen to a child.

Knows nothing of HTTP, settings or what children run: the pool of workers is one use of it among others.
"""

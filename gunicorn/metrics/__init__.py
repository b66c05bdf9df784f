"""Figures and events of a process tree: cells in shared memory, the lifecycle bus, the statsd client.

Knows no settings and no requests; whoever has a figure brings it here.
"""

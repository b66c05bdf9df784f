"""Error and access logs: sinks that never raise, formats compiled once, text or JSON.

Knows settings by their attributes; knows no worker, no bridge and no socket but syslog's.
"""

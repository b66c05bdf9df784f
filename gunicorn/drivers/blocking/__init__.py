"""The blocking driver: a poller that reads heads and bodies and flushes answers, and the threads that run
applications. Slow clients cost a table entry each; a thread is taken only by a complete request.
"""

"""A long run of clients that break off in every phase, and what must be left of them: nothing."""

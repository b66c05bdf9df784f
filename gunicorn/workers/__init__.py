"""Worker classes: what one process does between READY and its end. `base` is the door for classes of users."""

"""Protocol machines: bytes in, events and bytes out; nothing here waits, reads a clock or writes a log."""

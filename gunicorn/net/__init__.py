"""Addresses, listening sockets and TLS contexts; no byte of any protocol."""

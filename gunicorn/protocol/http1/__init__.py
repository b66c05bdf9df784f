"""HTTP/1.1 and HTTP/1.0 on the wire (RFC 9112); the rules and limitations are in this folder's README."""

"""WebSocket (RFC 6455, RFC 7692) over the websockets library's sans-IO classes; see this folder's README."""

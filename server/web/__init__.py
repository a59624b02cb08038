"""The door for browsers and programs: WebSocket and HTTP on one port."""

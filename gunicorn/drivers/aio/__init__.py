"""The asyncio driver: connections, doors and times of workers that run an event loop."""

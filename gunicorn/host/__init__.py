"""The operating system around a server: signals, clocks, files of processes, privileges, service manager."""

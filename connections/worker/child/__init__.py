"""The program of a host process: neonize and its Go library. No Django."""

"""The operations and functions that every job may use, whatever systems it talks to."""

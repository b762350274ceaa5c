"""Drawings of workflows: what is drawn, where it stands, and how it looks in a terminal and as SVG."""

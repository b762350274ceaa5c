"""What all tests share: one plugin module for each outside thing."""

# fix_case builds on others, and pytest wants to import each of them itself: it stands last.
pytest_plugins = ["fix_command", "fix_distribution", "fix_postgres", "fix_run", "fix_silent", "fix_systems", "fix_case"]

"""What all tests share: one plugin module for each outside thing."""

# pytest wants to import each of them itself, so those that build on others stand last.
pytest_plugins = [
    "fix_browser",
    "fix_command",
    "fix_distribution",
    "fix_postgres",
    "fix_run",
    "fix_systems",
    "fix_terminal",
    "fix_http",
    "fix_case",
]

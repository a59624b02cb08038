"""The subcommands of the offline shop."""

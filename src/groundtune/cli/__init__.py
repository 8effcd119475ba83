"""The command line: arguments → one recipe → text and an exit code."""

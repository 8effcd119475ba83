"""Values, contracts and errors that every room shares; nothing heavy."""

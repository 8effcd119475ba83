"""The tasks, a file each: what a case is taught to answer and how it is measured."""

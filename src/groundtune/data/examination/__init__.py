"""What the doctor looks for in labelled files, a subject a file; all of it pure."""

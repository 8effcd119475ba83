"""What the report page is made of: values for its template, and its plots."""

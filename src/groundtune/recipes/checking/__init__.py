"""Parts of checking claims: reading, evidence, lessons, verdicts and their figures."""

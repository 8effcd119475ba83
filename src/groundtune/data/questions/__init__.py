"""Test questions drafted from documents by rule, sifted and reviewed."""

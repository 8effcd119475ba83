"""Settings that describe; they check themselves and build nothing."""

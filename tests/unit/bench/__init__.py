"""What the benchmark counts with."""

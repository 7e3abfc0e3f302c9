"""Many runs as one plan: agents × assets × seeds, resumable cell by cell."""

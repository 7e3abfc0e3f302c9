"""What happened: run records, run directories, the trial ledger."""

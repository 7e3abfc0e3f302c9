"""Assets and protocols as data; `flagbench` finds them through the entry point group `flagbench.tasks`."""

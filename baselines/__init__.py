"""Agents to compare with, one file each, registered like a stranger's under `flagbench.agents`."""

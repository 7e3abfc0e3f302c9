"""Who decides: what an agent must be, how it is made, its prompt, and the set-up it shares."""

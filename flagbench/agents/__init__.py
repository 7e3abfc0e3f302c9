"""Who decides: what an agent must be, how it is made, and the contract it is checked against."""

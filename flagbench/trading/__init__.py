"""What an order does: portfolio, protocol, environment, rollout, replay."""

"""Importing this module registers `flagbench/Trading-v0` with gymnasium.

It is the one module that works at import, because that is how gymnasium finds environments:
`gymnasium.make("flagbench.trading.registration:flagbench/Trading-v0", asset="TSLA")`.
"""

from gymnasium.envs.registration import register

register(
    id="flagbench/Trading-v0",
    entry_point="flagbench.trading.environment:make_env",
    vector_entry_point="flagbench.trading.vector_environment:make_vector_env",
)

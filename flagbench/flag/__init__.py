"""The paper's agent: prompt, network, trainer."""

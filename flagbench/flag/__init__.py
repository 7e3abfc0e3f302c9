"""The paper's agent: network, adaptation, agent."""

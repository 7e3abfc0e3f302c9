"""How agents learn: set-up, advantages, losses, backbones."""

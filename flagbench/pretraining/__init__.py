"""How the embedded backbone is made: facts, calculations, market states, tokenizer, training, card."""

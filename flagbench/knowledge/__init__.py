"""What a language model still knows: suites of questions through lm-eval, and their results."""

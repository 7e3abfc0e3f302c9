"""Printed results held against prices: which conventions and which positions could have given them."""

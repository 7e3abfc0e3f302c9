"""What a market shows: assets, dates, bars, text, and where they come from."""

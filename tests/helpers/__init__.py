"""What tests share: tiny models, runs, data, and ways to look at what comes out."""

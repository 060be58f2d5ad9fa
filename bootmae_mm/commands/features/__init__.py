"""Features of pictures, and what can be seen by them: embed, neighbours, duplicates."""

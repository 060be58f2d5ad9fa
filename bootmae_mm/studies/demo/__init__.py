"""The demo: the commands on drawn pictures, and a page of what came of them."""

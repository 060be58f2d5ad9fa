"""Watching pretraining: is it healthy, does it wait for data, what are its features worth?"""

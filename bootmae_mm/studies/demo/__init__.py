"""The demonstration run: procedural pictures to train on, and the report that shows the result.

Needs numpy and Pillow only, so that drawing pictures and writing a report never load a stack.
"""

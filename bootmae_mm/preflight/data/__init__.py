"""Whether data is complete and well formed, before a run finds out for itself.

:mod:`.imagenet`, :mod:`.ade20k`, :mod:`.coco` and :mod:`.pictures` look at folders and need NumPy
and Pillow only, so that ``tools/check_data.py`` starts at once; this file therefore imports
nothing. :mod:`.paths` looks at a config, :mod:`.seg_labels` and :mod:`..start` at a run.
"""

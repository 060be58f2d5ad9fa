"""Probes of the frozen encoder while it is being pretrained.

:mod:`.hook` decides when (:mod:`.budget`) and logs; :mod:`.sources` has the labelled data;
:mod:`.image` and :mod:`.segmentation` are the probes, on features of :mod:`.frozen`, with the
classifiers of :mod:`bootmae_mm.transfer`. What is measured is logged and nothing else: training
does the same steps, bit for bit, with and without.
"""

from .hook import OnlineProbeHook
from .label_maps import LabelMapFolders

__all__ = ['LabelMapFolders', 'OnlineProbeHook']

"""One page about a training run, made of what it left in its work_dir.

=============  ==============================================================================
``work_dir``   which runs a folder holds, and what else lies there
``scalars``    logged values of all runs, joined to one course of training
``log``        warnings and errors, the environment, and how long an epoch is
``settings``   a config's values, without running it
``progress``   how far training came
``charts``     which values share a chart
``monitors``   which messages belong together
``pictures``   the first and the newest picture of every name
``page``       all of it as HTML
``hook``       writes the page during training
=============  ==============================================================================

Only ``hook`` needs PyTorch and OpenMMLab; nothing that lies in a folder is run as code.
"""

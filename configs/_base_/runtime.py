"""What every run shares: registration, logs, checkpoints, seed, distributed backend."""

custom_imports = dict(imports=['bootmae_mm.registration'], allow_failed_imports=False)
default_scope = 'mmpretrain'
runner_type = 'ResumableRunner'  # goes on exactly where a run stopped

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='OptimizerStepSchedulerHook'),
    # The newest two; keep_every=100 would keep every hundredth epoch as well.
    checkpoint=dict(type='DurableCheckpointHook', interval=1, max_keep_ckpts=2),
    stop=dict(type='StopOnSignalHook'),
    stall=dict(type='StallHook'),  # says where a process hangs
    sampler_seed=dict(type='DistSamplerSeedHook'),
    report=dict(type='ReportHook'),  # report.html, docs/run_report.md
)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # After ten minutes without an answer from a process the others end. Writing a checkpoint or
    # validating on one process must take less.
    dist_cfg=dict(backend='nccl', timeout=600),
)
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(window_size=50)
log_level = 'INFO'
# All randomness of pretraining is in the samples, see bootmae_mm/data/sampling.py.
randomness = dict(seed=0)
load_from = None
resume = False

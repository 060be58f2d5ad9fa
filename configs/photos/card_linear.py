"""The frozen encoder on the photographs in closed form, on one GPU: deeper and wider.

python tools/reproduce.py run length --budget card --data FOLDER --jobs 4
"""

_base_ = ['photos_linear.py']

arch = dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=4 * 384)
blocks = list(range(1, 13))
model = dict(
    backbone=dict(arch=dict(_delete_=True, **arch), out_indices=[block - 1 for block in blocks]),
    head=dict(blocks=blocks),
)
workers = dict(num_workers=2, persistent_workers=True, pin_memory=True)
train_dataloader = workers
val_dataloader = workers
test_dataloader = workers
optim_wrapper = dict(type='AutocastOptimWrapper', dtype='bfloat16')

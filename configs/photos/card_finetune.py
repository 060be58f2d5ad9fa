"""Fine-tuning on a tenth of the labels of the photographs, on one GPU: deeper and wider.

python tools/reproduce.py run length --budget card --data FOLDER --jobs 4
"""

_base_ = ['photos_finetune.py']

arch = dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=4 * 384)
model = dict(backbone=dict(arch=dict(_delete_=True, **arch)), head=dict(in_channels=384))
workers = dict(num_workers=2, persistent_workers=True, pin_memory=True)
train_dataloader = workers
val_dataloader = workers
test_dataloader = workers
optim_wrapper = dict(type='AutocastOptimWrapper', dtype='bfloat16', optimizer=dict(lr=5e-4))

"""Table 6: ViT-B, trained on ImageNet-1K with labels from scratch, 300 epochs.

    tools/dist_train.sh configs/finetune/baselines/vitb_scratch_300e.py 8

Recipe     He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, appendix A.2:
           AdamW of rate 1e-4 × 4096 / 256 and betas (0.9, 0.95), weight decay 0.3, 20 warm-up
           epochs, drop path 0.1, weight EMA 0.9999, no layer-wise decay
Expect     82.3 % top-1, the row "ViT [30]", quoted from there. The rows ViT384 and DeiT are other
           recipes, and quoted: they have no config
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

max_epochs = 300
lr = 1e-4 * 4096 / 256  # = 1.6e-3
floor = 1e-6 / lr

model = dict(backbone=dict(init_cfg=None), head=dict(init_cfg=dict(std=0.02)))
optim_wrapper = dict(
    paramwise_cfg=dict(layer_decay_rate=1.0),
    optimizer=dict(lr=lr, betas=(0.9, 0.95), weight_decay=0.3),
)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(eta_min_ratio=floor, end=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
custom_hooks = dict(total_batch=dict(total_batch_size=4096), ema=dict(momentum=1 - 0.9999))

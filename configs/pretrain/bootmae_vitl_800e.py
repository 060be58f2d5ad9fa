"""BootMAE, ViT-L, 800 epochs on ImageNet-1K.

    tools/dist_train.sh configs/pretrain/bootmae_vitl_800e.py 8

Batch      4096 = 128 per GPU × 8 GPUs × 4 accumulated
Expect     fine-tuned 85.9 % top-1, linear probe 77.1 % (Table 6)
Cost       not stated in the paper
Differs    from ViT-B: the cosine ends at 1e-5, and the teacher's decay stays at 0.9999
"""

_base_ = ['bootmae_vitb_800e.py']

model = dict(backbone=dict(arch='large'))
train_dataloader = dict(batch_size=128)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(eta_min=1e-5)
custom_hooks = dict(teacher=dict(milestones=[(0, 0.999), (100, 0.9999)]))

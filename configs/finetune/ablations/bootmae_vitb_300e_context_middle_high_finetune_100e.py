"""Table 8: fine-tuning of bootmae_vitb_300e_context_middle_high.

    tools/dist_train.sh \\
        configs/finetune/ablations/bootmae_vitb_300e_context_middle_high_finetune_100e.py 8

Expect     83.7 % top-1
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e_context_middle_high/epoch_300.pth')
    ),
)

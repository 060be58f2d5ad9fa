"""A small BootMAE on drawn pictures, with probes of the frozen encoders of student and teacher.

    python tools/demo.py --draw                           (once)
    tools/dist_train.sh configs/demo/pretrain_probed.py 2

Schedule      8,192 // 32 = 256 steps an epoch, 2,816 in all
Images        800 labelled and 400 for validation: kNN, a linear classifier per block
Segmentation  800 label maps and 200 for validation: a linear classifier of patches
Share         at most 5 % of the run's time
"""

_base_ = ['../photos/photos_pretrain.py']

max_epochs = 11
warmup_epochs = max_epochs / 20
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
train_dataloader = dict(dataset=dict(data_root='data/shapes/train'))

images = dict(
    type='ImageFolders',
    data_root='data/shapes_labelled',
    pipeline=[dict(type='LoadAnyImage'), dict(type='PackInputs')],
)
dense_root = 'data/shapes_dense/ade'
label_maps = dict(type='LabelMapFolders', num_classes=5, img_size=64)  # 4 shapes, background
custom_hooks = dict(
    probes=dict(
        type='OnlineProbeHook',
        images=dict(
            train=dict(**images, data_prefix='train'),
            val=dict(**images, data_prefix='val'),
        ),
        segmentation=dict(
            train=dict(
                **label_maps,
                images=f'{dense_root}/images/training',
                labels=f'{dense_root}/annotations/training',
            ),
            val=dict(
                **label_maps,
                images=f'{dense_root}/images/validation',
                labels=f'{dense_root}/annotations/validation',
            ),
        ),
        max_share=0.05,
    )
)

"""The demo's pretraining, with probes of the frozen encoders of student and teacher on the way.

    python tools/demo.py --draw                           (once)
    tools/dist_train.sh configs/demo/pretrain_probed.py 2

Images        800 labelled and 1,000 for validation: kNN, a linear classifier per block
Segmentation  800 label maps and 200 for validation: a linear classifier of patches
Share         at most 5 % of the run's time
"""

_base_ = ['pretrain.py']

images = dict(
    type='ImageFolders',
    data_root='data/shapes',
    pipeline=[dict(type='LoadAnyImage'), dict(type='PackInputs')],
)
dense_root = 'data/shapes_dense/ade'
label_maps = dict(type='LabelMapFolders', num_classes=9, img_size=32)  # 8 shapes, background
custom_hooks = dict(
    probes=dict(
        type='OnlineProbeHook',
        images=dict(
            train=dict(**images, data_prefix='train', ann_file='labelled.txt'),
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

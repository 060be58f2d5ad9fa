"""UperNet, ViT-B, 160k iterations on ADE20K: the form that the paper describes.

    tools/dist_train.sh configs/seg/upernet_bootmae_vitb_160k.py 8
    tools/dist_test.sh configs/seg/upernet_bootmae_vitb_160k.py CHECKPOINT 8

Paper      Bootstrapped Masked Autoencoders for Vision BERT Pretraining, ECCV 2022, appendix C
Data       data/ade/ADEChallengeData2016/{images,annotations}/{training,validation}
Batch      16 = 2 per GPU × 8 GPUs; for n GPUs, train_dataloader.batch_size = 16 / n. There is no
           accumulation: an iteration is an optimiser step, and batch norm sees all 16
Start      --cfg-options model.backbone.init_cfg.checkpoint=PATH   another pretrained encoder
           --cfg-options model.backbone.init_cfg=None              from scratch
Expect     the paper's 49.1 mIoU (Table 7a) was measured in the form of
           upernet_bootmae_vitb_160k_release.py
Test       sliding window 512, stride 341, single scale; tta_model and tta_pipeline are short sides
           of 512 to 896 with flip (tools/test.py --tta), and hold twelve score maps of a picture
           at once: 12 × 150 classes × 4 bytes = 7.2 kB per pixel
Memory     docs/dense_memory.md
Own data   type='SegmentationFolders', data_root and metainfo.classes of both data sets, num_classes
           of both heads: docs/quick_start.md
float16    --cfg-options optim_wrapper.dtype=float16
"""

_base_ = [
    '../_base_/models/upernet_bootmae_vitb.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/ade20k_160k.py',
    '../_base_/runtime.py',
]

default_scope = 'mmseg'
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=_base_.interval),
)
log_processor = dict(by_epoch=False)
visualizer = dict(type='SegLocalVisualizer')
# Drop path, dropout and the samples of losses are drawn on the ranks: each needs its own seed.
randomness = dict(seed=0, diff_rank_seed=True)

"""BootMAE, ViT-B, 800 epochs on ImageNet-1K: the paper's main result.

    tools/dist_train.sh configs/pretrain/bootmae_vitb_800e.py 8

Paper      Bootstrapped Masked Autoencoders for Vision BERT Pretraining, ECCV 2022, Table 6
Batch      4096 = 256 per GPU × 8 GPUs × 2 accumulated; other numbers of GPUs follow by themselves
Expect     fine-tuned 84.2 % top-1, linear probe 66.1 %, ADE20K 49.1 mIoU, COCO 48.5 / 43.4 AP
Cost       0.660 s for 256 images on one A100 (Table 5), so
           1,281,167 / 256 × 0.660 s × 800 epochs = 734 A100 hours
Own data   --cfg-options train_dataloader.dataset.data_root=/folder/of/images
float16    --cfg-options optim_wrapper.dtype=float16
"""

_base_ = [
    '../_base_/models/bootmae_vitb.py',
    '../_base_/datasets/imagenet_pretrain.py',
    '../_base_/schedules/pretrain_800e.py',
    '../_base_/runtime.py',
]

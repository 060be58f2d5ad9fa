"""Commands that start from a pretrained encoder and labels: finetune, segment, detect."""

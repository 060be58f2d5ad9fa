# An image that runs `python -m bootmae_mm`, of this checkout and the pinned packages.
#
#   docker build -t bootmae-mm .                                              for CPUs
#   docker build -t bootmae-mm --build-arg PRETRAIN_ONLY=1 .                  in two minutes
#   docker build -t bootmae-mm --build-arg BASE=nvidia/cuda:13.0.1-devel-ubuntu24.04 \
#       --build-arg TORCH_INDEX= --build-arg FORCE_CUDA=1 .                   for GPUs
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/data" bootmae-mm \
#       pretrain /data/pictures --out /data/runs/mine
ARG BASE=python:3.12-slim
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential make python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /bootmae-mm
COPY . .
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG PRETRAIN_ONLY=
ARG FORCE_CUDA=0
RUN FORCE_CUDA=$FORCE_CUDA make setup PYTHON=python3 TORCH_INDEX=$TORCH_INDEX PRETRAIN_ONLY=$PRETRAIN_ONLY
ENTRYPOINT ["/bootmae-mm/.venv/bin/python", "-m", "bootmae_mm"]
CMD ["--help"]

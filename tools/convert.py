"""Convert a checkpoint of the authors' release or of this project.

    python tools/convert.py release.pth ours.pth --to ours
    python tools/convert.py epoch_800.pth release.pth --to release
    python tools/convert.py epoch_100.pth vit.safetensors --to timm
    python tools/convert.py epoch_800.pth vit_folder --to transformers
    python tools/convert.py epoch_800.pth encoder.safetensors --to safetensors
    python tools/convert.py epoch_100.pth classifier.onnx --to onnx

Both models run on the same input; the result is written only if their outputs agree to 1e-4,
relative to the largest value. Files are read without ever running code in them. timm, transformers
and ONNX take `pip install 'bootmae-mm[convert]'`.
"""

import argparse

from bootmae_mm.convert.formats import SUFFIXES, TOLERANCE


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='PyTorch or safetensors file')
    parser.add_argument('target', help='file to write; a folder for transformers')
    parser.add_argument('--to', required=True, choices=list(SUFFIXES))
    parser.add_argument(
        '--num-heads',
        type=int,
        help="heads of the encoder; default: the checkpoint's run's, or those of ViT-S, B, L or H",
    )
    parser.add_argument('--force', action='store_true', help='overwrite the target')
    args = parser.parse_args(argv)
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.convert.conversion import convert

    try:
        report = convert(args.source, args.target, args.to, args.num_heads, args.force)
    except ValueError as error:
        parser.error(str(error))
    arch = report.arch
    image = ' × '.join(map(str, dict.fromkeys(arch.img_size)))
    print(
        f'{args.source}: {report.kind} ({report.layout}), {arch.num_layers} blocks of width '
        f'{arch.embed_dims}, {arch.num_heads} heads, patch {arch.patch_size}, image {image}'
    )
    for name, difference in report.differences.items():
        print(f'{name:<24} largest difference {difference:.1e} (allowed {TOLERANCE:.0e})')
    if report.num_left_out:
        print(f'{report.num_left_out} tensors have no place in {args.to!r} and were left out')
    print(f'wrote {args.target}')


if __name__ == '__main__':
    main()

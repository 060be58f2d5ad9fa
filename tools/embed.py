"""Write what an encoder makes of your pictures, a row for each, to search, sort and learn from.

    python -m bootmae_mm embed PICTURES --from RUN --out features.parquet
    python -m bootmae_mm embed PICTURES --from mae_pretrain_vit_base.pth --out features.npz
    python -m bootmae_mm embed PICTURES --from RUN --out features.csv --features class --block 9

RUN is the folder of a run, or a checkpoint: of this project, the authors' release, MAE, MoCo v3,
BEiT, timm or transformers. The same command goes on where it was stopped. `neighbours` and
`duplicates` take the file from there.
"""

import argparse
from functools import partial

from bootmae_mm import command_line
from bootmae_mm.commands.arguments import above_zero, pixels

COLOURS = dict(type=float, nargs=3, metavar=('R', 'G', 'B'))


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, count = parser.add_argument, above_zero(int)
    add('pictures', help='a folder of pictures, at any depth')
    add('--from', dest='start', metavar='RUN', required=True, help='a run, or a checkpoint')
    add('--out', metavar='FILE', required=True, help='to write: .parquet, .npz or .csv')
    add('--block', type=count, help='take the features after this block, from 1; default the last')
    add(
        '--features', nargs='+', choices=('class', 'mean', 'patches'), default=['mean'],
        help='the class token, the mean of the patches (default), each patch',
    )  # fmt: skip
    add('--batch', type=count, default=64, help='pictures at a time; default 64')
    add('--size', type=pixels, help="of the input, 224 or 160x320; default the encoder's")
    add('--mean', **COLOURS, help="of the input, from 0 to 255; default the run's, or ImageNet's")
    add('--std', **COLOURS, help='its deviation')
    add('--num-heads', type=count, help="of attention; default the run's, or as usual")
    add('--prefix', help='which of several encoders in a checkpoint, such as teacher.backbone.')
    add('--processes', type=count, help='default one for each GPU')
    add('--force', action='store_true', help='overwrite FILE')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Embed."""
    args = vars(parse_args(argv))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.features.embedding import embed

    with command_line.user_errors():
        embed(**args, say=partial(print, flush=True))


if __name__ == '__main__':
    main()

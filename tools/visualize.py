"""Draw what a model does with images, and what masks hide: PNG files and one HTML page.

    python tools/visualize.py model CONFIG CHECKPOINT IMAGES... [--out work_dirs/pictures]
    python tools/visualize.py masks [IMAGES...]

IMAGES are image files or folders of them. The config decides what is drawn: of pretraining the
reconstructions, the cosine of predicted and teacher features, principal components of the features
and the class token's attention; of a classifier the last two; of a segmentor or detector its
predictions. "masks" draws Fig. 2 of the paper; without IMAGES on pictures that it makes up.
"""

import argparse
from pathlib import Path

from bootmae_mm import command_line


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest='kind', required=True, metavar='model | masks')
    model = kinds.add_parser('model', help='what a model does with images')
    command_line.add_config_arguments(model)
    model.add_argument('checkpoint', type=command_line.existing_file, help='of pretraining, a run')
    model.add_argument('images', nargs='+', help='image files or folders')
    model.add_argument(
        '--min-score', type=float, default=0.3, help='least score of an instance; default 0.3'
    )
    masks = kinds.add_parser('masks', help='random and block-wise masks')
    masks.add_argument('images', nargs='*', help='image files or folders; default made-up pictures')
    masks.add_argument('--grid', type=int, default=14, help='patches per side; default 14')
    masks.add_argument('--num-masked', type=int, default=147, help='patches to mask; default 147')
    masks.add_argument('--patch-size', type=int, default=16, help='pixels; default 16')
    for command, count in ((model, 8), (masks, 4)):
        command.add_argument('--out', default='work_dirs/pictures', help='folder to write to')
        command.add_argument(
            '--count',
            type=int,
            default=count,
            help=f'images to draw, taken evenly; default {count}',
        )
        command.add_argument('--seed', type=int, default=0, help='of the masks; default 0')
    args = parser.parse_args(argv)
    for name in ('count', 'grid', 'patch_size'):
        if getattr(args, name, 1) < 1:
            option = name.replace('_', '-')
            parser.error(f'--{option} expects a number from 1 up, found {getattr(args, name)}')
    return args


def draw(args: argparse.Namespace) -> tuple[Path, int]:
    """Draw what was asked for; returns the page, and how many images there were to choose from."""
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.visualization.drawing import draw_figures, drawn_pictures
    from bootmae_mm.visualization.images import find_files, read_evenly
    from bootmae_mm.visualization.masks import mask_figure
    from bootmae_mm.visualization.pages import save_figures

    cfg = command_line.load_config(args) if args.kind == 'model' else None
    files = find_files(args.images)
    pictures = (
        read_evenly(files.__getitem__, len(files), args.count)
        if files
        else drawn_pictures(args.count, args.grid * args.patch_size)
    )
    if args.kind == 'model':
        figures = draw_figures(cfg, args.checkpoint, pictures, args.seed, args.min_score)
        title = 'Pictures of a model'
        words = [f'Config: {args.config}', f'Checkpoint: {args.checkpoint}']
    else:
        figures = [mask_figure(pictures, args.grid, args.num_masked, args.patch_size, args.seed)]
        title = 'Mask strategies'
        words = ['Drawn by the masks of pretraining (Fig. 2 of the paper).']
    page = save_figures(figures, [picture.path for picture in pictures], args.out, title, words)
    return page, len(files)


def main(argv: list[str] | None = None) -> None:
    """Draw."""
    args = parse_args(argv)
    with command_line.user_errors():
        page, num_files = draw(args)
    if num_files > args.count:
        print(f'{args.count} of {num_files} images are drawn, taken evenly; --count draws more.')
    print(f'Pictures: {page}, and PNG files beside it')


if __name__ == '__main__':
    main()

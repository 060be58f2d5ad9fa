"""Tell what a training run will take: hours, images/s, memory and cost, and whether data keeps up.

    python tools/plan.py configs/pretrain/bootmae_vitb_800e.py --gpus 8 [--save a100.json]
    python tools/plan.py configs/pretrain/bootmae_vitb_300e.py --gpus 16 --measured a100.json

Measures a few training steps and a few hundred images on this machine (one GPU, or the CPU), or
takes what --save wrote, here or elsewhere. Where the data is not there, pictures are generated.
"""

import argparse
from pathlib import Path

from bootmae_mm import command_line


def parse_args(argv: list[str] | None = None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command_line.add_config_arguments(parser)
    parser.add_argument('--gpus', type=int, required=True, metavar='N', help='GPUs of the run')
    parser.add_argument(
        '--measured',
        type=command_line.existing_file,
        metavar='FILE',
        help='take the measurement in FILE',
    )
    parser.add_argument('--save', metavar='FILE', help='write the measurement to FILE')
    parser.add_argument(
        '--batch', type=int, metavar='B', help="images to measure with; default the config's, "
        'on a CPU at most 8',
    )  # fmt: skip
    args = parser.parse_args(argv)
    for name in ('gpus', 'batch'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name} expects a number from 1 up, found {value}')
    if args.save and not Path(args.save).parent.is_dir():
        parser.error(f'--save expects a file in a folder that exists, found none at {args.save!r}')
    if args.measured and (args.save or args.batch):
        parser.error('--measured takes a finished measurement: leave out --save and --batch')
    return parser, args


def main(argv: list[str] | None = None) -> None:
    """Measure, plan, print."""
    parser, args = parse_args(argv)
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.preflight.planning.planner import plan_run
    from bootmae_mm.preflight.planning.recipe import save_measurement
    from bootmae_mm.preflight.planning.text import as_text

    try:
        cfg = command_line.load_config(args)
        recipe, measurement, plan = plan_run(
            cfg, args.gpus, args.measured, args.batch, lambda line: print(f'{line} …', flush=True)
        )
    except ValueError as error:
        parser.error(str(error))
    if args.save:
        save_measurement(measurement, args.save)
    print('\n' + as_text(args.config, cfg, recipe, measurement, plan))


if __name__ == '__main__':
    main()

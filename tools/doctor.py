"""Find what would go wrong with a run, in seconds and without a GPU, before it starts.

    python tools/doctor.py configs/pretrain/bootmae_vitb_800e.py --gpus 8
    python tools/doctor.py CONFIG --cfg-options train_dataloader.dataset.data_root=/my/images

Looks at versions and the config's keys and sizes; builds the run's data sets, metrics and schedules
and asks them what the run itself asks before it starts; looks at the total batch and learning rate,
the weights to start from, disk space and the work directory; takes one small training step and
validates two pictures. Exits with 0 if training can start, 1 if there are problems, 2 if the
command is wrong.
"""

import argparse
import os
import sys

from bootmae_mm import command_line

MARKS = {'note': '', 'ok': 'ok', 'warning': 'warning', 'error': 'PROBLEM'}


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command_line.add_config_arguments(parser)
    parser.add_argument(
        '--gpus', type=int, default=1, metavar='N', help='GPUs of the run (default 1)'
    )
    parser.add_argument('--work-dir', help='of the run; default work_dirs/<config name>')
    args = parser.parse_args(argv)
    if args.gpus < 1:
        parser.error(f'--gpus expects a number from 1 up, found {args.gpus}')
    return args


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    args = parse_args(argv)
    os.environ['CUDA_VISIBLE_DEVICES'] = ''  # before PyTorch: GPUs may be busy with another run
    # Late, since these take seconds to import: a wrong option is told at once.
    from mmengine.logging import MMLogger

    from bootmae_mm.preflight.doctor.case import Case
    from bootmae_mm.preflight.doctor.checkup import examine

    MMLogger.get_instance('doctor', log_level='WARNING')  # is the current one then
    with command_line.user_errors():
        cfg, written = command_line.load_config(args), command_line.read_config(args.config)
    case = Case(cfg, written, args.gpus)
    counts, last = dict.fromkeys(MARKS, 0), None
    for point, finding in examine(case):
        head = point if point != last else ''
        print(f'{head:<12} {MARKS[finding.level]:<8} {finding.sentence}', flush=True)
        counts[finding.level] += 1
        last = point
    print(f'\nProblems: {counts["error"]}, warnings: {counts["warning"]}.')
    return 1 if counts['error'] else 0


if __name__ == '__main__':
    sys.exit(main())

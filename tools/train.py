"""Train from a config.

python tools/train.py configs/pretrain/bootmae_vitb_800e.py [--work-dir D]
tools/dist_train.sh configs/pretrain/bootmae_vitb_800e.py 8

The same command again goes on where the run was stopped, by whatever. SIGTERM, SIGUSR1 and SIGINT
(Ctrl-C) end the step and write a checkpoint; the exit code is 99 then.
"""

import argparse

from bootmae_mm import command_line


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    command_line.add_config_arguments(parser)
    command_line.add_run_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        metavar='CKPT',
        help='go on from this checkpoint; without it, from the newest one in the work directory '
        'if there is any',
    )
    parser.add_argument(
        '--accept-changes',
        action='store_true',
        help='go on although settings were changed that change the result',
    )
    parser.add_argument(
        '--tracker',
        nargs='+',
        default=[],
        choices=['tensorboard', 'wandb', 'mlflow'],
        help='where to log to, beside the work directory',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.engine.distributed import report_failures
    from bootmae_mm.engine.trackers import use_trackers
    from bootmae_mm.training import resume_if_possible, train

    with report_failures(), command_line.user_errors(args.launcher):
        cfg = command_line.load_config(args)
        cfg.accept_changes = args.accept_changes
        use_trackers(cfg, args.tracker)
        resume_if_possible(cfg, args.resume)
        train(cfg)


if __name__ == '__main__':
    main()
